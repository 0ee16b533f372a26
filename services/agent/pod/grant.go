package pod

import (
	"cmp"
	"slices"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/amount"
	"github.com/skerry/skerry/schemas/share"
	"github.com/skerry/skerry/services/agent/fit"
	"github.com/skerry/skerry/services/agent/resize"
	"github.com/skerry/skerry/services/agent/sandbox"
)

// grant is what a pod has of the node: what its order asks for, or in place of that what it had
// before, while a change of it waits for room.
type grant struct {
	order   *share.Lean
	resized *v1.Pod // nil: as ordered
}

func (g grant) key() sandbox.Key {
	return sandbox.Key{Namespace: schemas.Namespace(g.order.Namespace()), Name: schemas.Name(g.order.Name())}
}

func (g grant) pod() *v1.Pod {
	if g.resized != nil {
		return g.resized
	}
	return g.order.Pod()
}

func (g grant) requests() v1.ResourceList {
	if g.resized != nil {
		return amount.Requests(&g.resized.Spec)
	}
	return amount.Requests(g.order.Spec())
}

// grant notes what a pod has that the node has taken.
func (r *Reconciler) grant(g grant) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.granted == nil {
		r.granted, r.sum = map[types.UID]grant{}, v1.ResourceList{}
	}
	uid := g.order.UID()
	if r.granted[uid] == g {
		return
	}
	r.drop(uid)
	r.granted[uid] = g
	for n, q := range g.requests() {
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
	g, ok := r.granted[uid]
	if !ok {
		return
	}
	for n, q := range g.requests() {
		have := sum[n]
		have.Sub(q)
		sum[n] = have
	}
}

// taken is what the pods other than uid have of the node: those that it has taken and that have
// not ended. Each asks for what it was granted. Some may have lost their order meanwhile (see
// sweep): all pods are looked at only if somebody asks for them.
func (r *Reconciler) taken(uid types.UID) fit.Others {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := fit.Others{Count: len(r.granted), Pods: func() []*v1.Pod { return r.holders(uid) }, Taken: v1.ResourceList{}}
	if _, ok := r.granted[uid]; ok {
		out.Count--
	}
	for n, q := range r.sum {
		out.Taken[n] = q.DeepCopy()
	}
	r.subtract(out.Taken, uid)
	return out
}

// holders are the pods other than uid that have something of the node.
func (r *Reconciler) holders(uid types.UID) []*v1.Pod {
	r.mu.Lock()
	others := make([]grant, 0, len(r.granted))
	for other, g := range r.granted {
		if other != uid {
			others = append(others, g)
		}
	}
	r.mu.Unlock()
	return podsOf(others)
}

// sweep takes from pods what they had that are not ordered any more, and tells whether there were
// any: their room is another's already. That looks at every pod, so it is done from time
// to time, and before anybody is refused.
func (r *Reconciler) sweep() (some bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for uid, g := range r.granted {
		if order, _ := r.Orders.Order(g.key()); order == nil || order.UID() != uid {
			r.drop(uid)
			some = true
		}
	}
	return some
}

// podsOf makes pods that ask for what they were granted, ordered by uid.
func podsOf(grants []grant) []*v1.Pod {
	pods := make([]*v1.Pod, len(grants))
	for i, g := range grants {
		pods[i] = g.pod()
	}
	slices.SortFunc(pods, func(a, b *v1.Pod) int { return cmp.Compare(a.UID, b.UID) })
	return pods
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
		e := r.entry(k, order.UID())
		if phase := e.mem.Last.Phase; terminal(phase) || phase == "" && !made[order.UID()] {
			continue
		}
		g, p := grant{order: order}, order.Pod()
		if had := resize.Granted(p, e.mem.Last); had != p {
			g.resized = had
		}
		r.grant(g)
	}
}
