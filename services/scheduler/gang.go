package scheduler

import (
	"fmt"
	"maps"
	"slices"

	v1 "k8s.io/api/core/v1"
	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/view"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/scheduler/place"
)

// gangs are the pods of each pod group that are not finished.
type gangs map[gangKey]*gang

type gangKey struct{ namespace, name string }

type gang struct {
	pending map[schemas.Ref]*v1.Pod
	placed  map[types.UID]bool
}

// maxGang is how many pods one atomic batch places: two writes for each.
const maxGang = bus.MaxBatch / 2

func gangOf(p *v1.Pod) (gangKey, bool) {
	if p.Spec.SchedulingGroup == nil || p.Spec.SchedulingGroup.PodGroupName == nil || *p.Spec.SchedulingGroup.PodGroupName == "" {
		return gangKey{}, false
	}
	return gangKey{p.Namespace, *p.Spec.SchedulingGroup.PodGroupName}, true
}

// set takes in a change of a pod.
func (gs gangs) set(c view.Change, p *v1.Pod, scheduler string) {
	key, ok := gangOf(p)
	if !ok {
		return
	}
	g := gs[key]
	if g == nil {
		g = &gang{pending: map[schemas.Ref]*v1.Pod{}, placed: map[types.UID]bool{}}
		gs[key] = g
	}
	delete(g.pending, c.Ref)
	delete(g.placed, p.UID)
	switch {
	case c.Type == view.Deleted || finished(p):
	case p.Spec.NodeName != "":
		g.placed[p.UID] = true
	case p.DeletionTimestamp == nil && len(p.Spec.SchedulingGates) == 0 && p.Spec.SchedulerName == scheduler:
		g.pending[c.Ref] = p
	}
	if len(g.pending)+len(g.placed) == 0 {
		delete(gs, key)
	}
}

// members returns the pods that wait, in the order of the queue.
func (g *gang) members() []item {
	out := make([]item, 0, len(g.pending))
	for ref, p := range g.pending {
		out = append(out, itemOf(ref, p))
	}
	slices.SortFunc(out, func(a, b item) int { return a.compare(&b) })
	return out
}

// ask is what a group wants of its pods' places.
type ask struct {
	// count is how many must be placed at once; 0 if each is placed for itself.
	count int
	// within is the label key by whose value all are in one place; "" for anywhere.
	within string
}

func (a ask) together() bool { return a.count > 0 || a.within != "" }

// need is how many more must be placed at once.
func (a ask) need(g *gang) int {
	if a.count == 0 && len(g.placed) == 0 {
		return 1 // the first one says where the others go
	}
	return max(0, a.count-len(g.placed))
}

// asked is what the pod's group asks for, or why nothing can be done yet.
func (s *scheduler) asked(key gangKey) (a ask, why string) {
	obj, ok := s.view.Get(schemas.Ref{Resource: schemas.PodGroups, Namespace: schemas.Namespace(key.namespace), Name: schemas.Name(key.name)})
	group, isGroup := obj.(*schedulingv1beta1.PodGroup)
	if !ok || !isGroup {
		return ask{}, fmt.Sprintf("waiting for pod group %q to appear", key.name)
	}
	return askOf(group), ""
}

func askOf(group *schedulingv1beta1.PodGroup) (a ask) {
	if gang := group.Spec.SchedulingPolicy.Gang; gang != nil {
		a.count = int(gang.MinCount)
	}
	if c := group.Spec.SchedulingConstraints; c != nil && len(c.Topology) > 0 {
		a.within = c.Topology[0].Key
	}
	return a
}

// decideGang places the pods of a group that wait, all that fit if these are enough, or
// none; then it looks whose leaving would let them in. The caller holds the mirror's lock.
func (s *scheduler) decideGang(g *gang, name string, a ask) []write {
	members := g.members()
	members = members[:min(len(members), maxGang)]
	pods := make([]*place.Pod, len(members))
	for i, it := range members {
		pods[i] = place.NewPod(g.pending[it.ref])
	}
	need := a.need(g)
	got := s.placeGang(g, pods, need, a.within)
	if got.Placed < need {
		why := got.Short(name, len(g.placed), len(g.pending)+len(g.placed), need+len(g.placed))
		if a.within != "" {
			why += " preemption: not for a pod group that stays in one topology domain."
		}
		return s.preemptGang(g, members, pods, need, a, why)
	}
	var all write
	var out []write
	for i, it := range members {
		pod, parts := g.pending[it.ref], s.view.Entries(it.ref)
		if got.Nodes[i] == "" { // it waits on its own
			if w := s.refuse(it, pod, verdict{reason: v1.PodReasonUnschedulable, message: got.Refused[i]}, true); len(w.ops) > 0 {
				out = append(out, w)
			}
			continue
		}
		all.ops = append(all.ops, assign(pod, got.Nodes[i], parts.Assigned)...)
		all.pods = append(all.pods, decision{item: it, pod: pod, node: got.Nodes[i], score: got.Scores[i], desired: parts.Desired.Revision, order: len(all.ops)})
	}
	return append(out, all)
}

func (s *scheduler) placeGang(g *gang, pods []*place.Pod, need int, within string) *place.Gang {
	if within == "" {
		return s.state.cluster.PlaceGang(pods, need)
	}
	return s.state.cluster.PlaceGangIn(pods, need, within, slices.Sorted(maps.Keys(g.placed)))
}

// preemptGang refuses a gang, and keeps room for it where others can make way for it.
func (s *scheduler) preemptGang(g *gang, members []item, pods []*place.Pod, need int, a ask, why string) (out []write) {
	c := s.state.cluster
	going := slices.ContainsFunc(pods, c.Waits) // victims are on their way out
	var room []place.Preemption
	if a.within == "" {
		room = c.PreemptGang(pods, need)
	}
	for i, it := range members {
		v, pod := verdict{reason: v1.PodReasonUnschedulable, message: why}, g.pending[it.ref]
		switch {
		case room != nil && room[i].Node != "":
			v.nominated = room[i].Node
			c.Nominate(pods[i], v.nominated)
		case going:
			v.nominated, _ = c.Nominated(pods[i].UID)
		default:
			c.Unnominate(pods[i].UID)
		}
		w := s.refuse(it, pod, v, true)
		switch {
		case room == nil || len(room[i].Victims) == 0:
		case len(w.pods) == 0: // written down already: a former attempt to evict failed
			s.evict(pod, &room[i])
		default:
			w.pods[0].preempt = &room[i]
		}
		if len(w.ops) > 0 {
			out = append(out, w)
		}
	}
	return out
}
