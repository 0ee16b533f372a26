package scheduler

import (
	"fmt"
	"maps"
	"slices"
	"strings"

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

// gangPolicy is what the pod's group asks for: how many pods must be placed at once, 0
// if each is placed for itself; or why nothing can be done yet.
func (s *scheduler) gangPolicy(key gangKey) (minCount int, why string) {
	obj, ok := s.view.Get(schemas.Ref{Resource: schemas.PodGroups, Namespace: schemas.Namespace(key.namespace), Name: schemas.Name(key.name)})
	group, isGroup := obj.(*schedulingv1beta1.PodGroup)
	switch {
	case !ok || !isGroup:
		return 0, fmt.Sprintf("waiting for pod group %q to appear", key.name)
	case group.Spec.SchedulingPolicy.Gang == nil:
		return 0, ""
	}
	return int(group.Spec.SchedulingPolicy.Gang.MinCount), ""
}

// decideGang places the pods of a group that wait, all that fit if these are enough, or
// none; then it looks whose leaving would let them in. The caller holds the mirror's lock.
func (s *scheduler) decideGang(g *gang, name string, minCount int) []write {
	members := g.members()
	members = members[:min(len(members), maxGang)]
	pods := make([]*place.Pod, len(members))
	for i, it := range members {
		pods[i] = place.NewPod(g.pending[it.ref])
	}
	need := max(0, minCount-len(g.placed))
	got := s.state.cluster.PlaceGang(pods, need)
	if got.Placed < need {
		why := fmt.Sprintf("pod group %q: %d of %d pods fit, %d must. %s", name, got.Placed+len(g.placed), len(g.pending)+len(g.placed), minCount,
			strings.Join(slices.Sorted(maps.Keys(got.Reasons)), " "))
		return s.preemptGang(g, members, pods, need, why)
	}
	var out write
	for i, it := range members {
		if got.Nodes[i] == "" { // it waits on its own
			s.state.queue.putOff(it, true, s.Now())
			continue
		}
		pod, parts := g.pending[it.ref], s.view.Parts(it.ref)
		out.ops = append(out.ops, assign(pod, got.Nodes[i], parts.Assigned)...)
		out.pods = append(out.pods, decision{item: it, pod: pod, node: got.Nodes[i], desired: parts.Desired.Revision, order: len(out.ops)})
	}
	return []write{out}
}

// preemptGang refuses a gang, and keeps room for it where others can make way for it.
func (s *scheduler) preemptGang(g *gang, members []item, pods []*place.Pod, need int, why string) (out []write) {
	c := s.state.cluster
	going := slices.ContainsFunc(pods, c.Waits) // victims are on their way out
	room := c.PreemptGang(pods, need)
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
