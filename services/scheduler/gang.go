package scheduler

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"
	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	"k8s.io/apimachinery/pkg/types"

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
const maxGang = 480

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
// none. The caller holds the mirror's lock.
func (s *scheduler) decideGang(key gangKey, minCount int) write {
	g := s.state.gangs[key]
	if g == nil {
		return write{}
	}
	members, placed := g.members(), len(g.placed)
	if len(members)+placed < minCount {
		return s.refuseGang(g, members, fmt.Sprintf("waiting for minCount pods from a gang to appear in scheduling queue: %d of %d", len(members)+placed, minCount))
	}
	if minCount-placed > maxGang {
		return s.refuseGang(g, members, fmt.Sprintf("pod group %q asks for %d pods at once; at most %d can be placed in one batch", key.name, minCount-placed, maxGang))
	}
	var out write
	reasons := map[string]bool{}
	for _, it := range members {
		if len(out.pods) == maxGang {
			break
		}
		pod := g.pending[it.ref]
		p := place.NewPod(pod)
		node, err := s.state.cluster.Decide(p)
		if err != nil {
			reasons[err.Error()] = true
			continue
		}
		s.state.cluster.SetPod(p, node)
		parts := s.view.Parts(it.ref)
		out.ops = append(out.ops, assign(pod, node, parts.Assigned)...)
		out.pods = append(out.pods, decision{item: it, pod: pod, node: node, desired: parts.Desired.Revision, order: len(out.ops)})
	}
	if len(out.pods)+placed < minCount {
		for _, d := range out.pods {
			s.state.cluster.RemovePod(d.pod.UID)
		}
		why := strings.Join(slices.Sorted(maps.Keys(reasons)), " ")
		return s.refuseGang(g, members, fmt.Sprintf("pod group %q: %d of %d pods fit, %d must. %s", key.name, len(out.pods)+placed, len(members)+placed, minCount, why))
	}
	for _, it := range members { // those that did not fit wait on their own
		if !slices.ContainsFunc(out.pods, func(d decision) bool { return d.ref == it.ref }) {
			s.state.queue.putOff(it, true, s.Now())
		}
	}
	return out
}

func (s *scheduler) refuseGang(g *gang, members []item, why string) (out write) {
	for _, it := range members {
		out.merge(s.refuse(it, g.pending[it.ref], verdict{reason: v1.PodReasonUnschedulable, message: why}, true))
	}
	return out
}
