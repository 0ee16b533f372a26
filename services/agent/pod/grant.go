package pod

import (
	"cmp"
	"slices"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/schemas/amount"
	"github.com/skerry/skerry/services/agent/fit"
	"github.com/skerry/skerry/services/agent/resize"
	"github.com/skerry/skerry/services/agent/sandbox"
)

// grant notes that a pod that the node has taken has the resources that p asks for.
func (r *Reconciler) grant(p *v1.Pod) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.granted == nil {
		r.granted, r.sum = map[types.UID]*v1.Pod{}, v1.ResourceList{}
	}
	if r.granted[p.UID] == p {
		return
	}
	r.drop(p.UID)
	r.granted[p.UID] = p
	for n, q := range amount.Requests(&p.Spec) {
		have := r.sum[n]
		have.Add(q)
		r.sum[n] = have
	}
}

// release gives back what a pod had that has ended.
func (r *Reconciler) release(uid types.UID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drop(uid)
}

// drop needs r.mu.
func (r *Reconciler) drop(uid types.UID) {
	r.subtract(r.sum, uid)
	delete(r.granted, uid)
}

// subtract takes out of sum what the pod was granted, which is added up anew for that: to
// keep it would take more memory than all else that is known of most pods.
func (r *Reconciler) subtract(sum v1.ResourceList, uid types.UID) {
	p := r.granted[uid]
	if p == nil {
		return
	}
	for n, q := range amount.Requests(&p.Spec) {
		have := sum[n]
		have.Sub(q)
		sum[n] = have
	}
}

// taken are the pods other than uid that have something of the node: those that it has taken,
// that are still ordered, and that have not ended. Each asks for what it was granted.
func (r *Reconciler) taken(uid types.UID) fit.Others {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out fit.Others
	for other, p := range r.granted {
		if order, _ := r.Orders.Order(KeyOf(p)); order == nil || order.UID != other {
			r.drop(other) // its room is another's already
			continue
		}
		if other != uid {
			out.Pods = append(out.Pods, p)
		}
	}
	slices.SortFunc(out.Pods, func(a, b *v1.Pod) int { return cmp.Compare(a.UID, b.UID) })
	out.Taken = v1.ResourceList{}
	for n, q := range r.sum {
		out.Taken[n] = q.DeepCopy()
	}
	r.subtract(out.Taken, uid)
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
