package pod

import (
	"cmp"
	"slices"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/services/agent/resize"
	"github.com/skerry/skerry/services/agent/sandbox"
)

// grant notes that a pod that the node has taken has the resources that p asks for.
func (r *Reconciler) grant(p *v1.Pod) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.granted == nil {
		r.granted = map[types.UID]*v1.Pod{}
	}
	r.granted[p.UID] = p
}

// release gives back what a pod had that has ended.
func (r *Reconciler) release(uid types.UID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.granted, uid)
}

// taken are the pods other than uid that have something of the node: those that it has taken,
// that are still ordered, and that have not ended. Each asks for what it was granted.
func (r *Reconciler) taken(uid types.UID) []*v1.Pod {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []*v1.Pod
	for other, p := range r.granted {
		if order, _ := r.Orders.Order(KeyOf(p)); order == nil || order.UID != other {
			delete(r.granted, other) // its room is another's already
			continue
		}
		if other != uid {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b *v1.Pod) int { return cmp.Compare(a.UID, b.UID) })
	return out
}

// regrant notes what all pods were granted before any is looked at: an agent that has just
// begun would otherwise grant one pod what another one has. Those of which something is there
// or was said were taken, by an agent before this one.
func (r *Reconciler) regrant(ordered []sandbox.Key, there []sandbox.Pod) {
	r.mu.Lock()
	looked := r.looked
	r.mu.Unlock()
	if looked {
		return
	}
	made := map[types.UID]bool{}
	for _, p := range there {
		made[p.UID] = true
	}
	for _, k := range ordered {
		order, _ := r.Orders.Order(k)
		if order == nil {
			continue
		}
		e := r.entry(k, order.UID)
		if phase := e.mem.Last.Phase; !terminal(phase) && (phase != "" || made[order.UID]) {
			r.grant(resize.Granted(order, e.mem.Last))
		}
	}
}
