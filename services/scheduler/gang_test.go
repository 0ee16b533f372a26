package scheduler

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/bus/view"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/placement"
)

// TestGang: all of a group or none, in one batch.
func TestGang(t *testing.T) {
	r := newRig(t)
	r.run(v1.DefaultSchedulerName)
	r.put(r.node("n1", "2"), r.pod("a", "1", inRing), r.pod("b", "1", inRing))
	r.await("a", "waiting for its group", condition(v1.PodReasonUnschedulable))
	r.put(ring(3))
	says := func(text string) func(*v1.Pod) bool {
		return func(p *v1.Pod) bool { return len(p.Status.Conditions) == 1 && p.Status.Conditions[0].Message == text }
	}
	r.await("a", "short of members", says("waiting for minCount pods from a gang to appear in scheduling queue"))
	r.put(r.pod("c", "1", inRing))
	for _, name := range []string{"a", "b", "c"} {
		r.await(name, "refused with the others", says(`pod group "ring": 2 of 3 pods fit, 3 must. 0/1 nodes are available: 1 Insufficient cpu.`))
	}
	r.put(r.node("n2", "2"))
	var revs []store.Revision
	for _, name := range []string{"a", "b", "c"} {
		p := r.await(name, "placed", func(p *v1.Pod) bool { return p.Spec.NodeName != "" })
		revs = append(revs, r.view.Parts(schemas.RefOf(schemas.Pods, p)).Assigned.Revision)
	}
	if last, first := max(revs[0], revs[1], revs[2]), min(revs[0], revs[1], revs[2]); last-first != 4 { // each with its verdict's removal
		t.Errorf("not in one batch: %v", revs)
	}
}

// TestLargeGang: more pods than NATS puts into one batch by itself are placed at once.
func TestLargeGang(t *testing.T) {
	r := newRig(t)
	const size = 1200
	r.put(ring(size))
	for i := range 12 {
		r.put(r.node(fmt.Sprintf("n%d", i), "100"))
	}
	var members []schemas.Object
	for i := range size {
		members = append(members, r.pod(fmt.Sprintf("m%d", i), "1", inRing))
	}
	r.run(v1.DefaultSchedulerName)
	r.put(members[:size-1]...)
	r.await("m0", "waiting for its group", condition(v1.PodReasonUnschedulable))
	r.put(members[size-1])
	placed, first, last, all := 0, store.Revision(0), store.Revision(0), make(chan struct{})
	defer r.view.Handle(func(c view.Change) {
		if p, ok := c.Object.(*v1.Pod); ok && p.Spec.NodeName != "" {
			if placed++; placed == 1 {
				first = c.Revision
			} else if placed == size {
				last = c.Revision
				close(all)
			}
		}
	})()
	select {
	case <-all:
	case <-time.After(60 * time.Second):
		t.Fatal("it is not placed")
	}
	if last-first >= 2*size {
		t.Errorf("not in one batch: from %d to %d", first, last)
	}
}

// TestGangPreempts: a gang drives others out if that lets all of it in, and nobody if not.
func TestGangPreempts(t *testing.T) {
	r := newRig(t)
	r.put(r.node("n1", "2"), r.node("n2", "2"), r.pod("low1", "1"), r.pod("low2", "1"), r.pod("low3", "1"), r.pod("firm", "1", withPriority(20)))
	r.run(v1.DefaultSchedulerName)
	for _, name := range []string{"low1", "low2", "low3", "firm"} {
		r.await(name, "placed", func(p *v1.Pod) bool { return p.Spec.NodeName != "" })
	}
	r.put(ring(4))
	for i := range 4 {
		r.put(r.pod(fmt.Sprintf("m%d", i), "1", inRing, withPriority(10)))
	}
	r.await("m3", "refused with the others", func(p *v1.Pod) bool {
		return condition(v1.PodReasonUnschedulable)(p) && strings.HasPrefix(p.Status.Conditions[0].Message, `pod group "ring": 0 of 4 pods fit, 4 must.`)
	})
	for _, name := range []string{"low1", "low2", "low3"} {
		if obj, ok := r.view.Get(schemas.Ref{Resource: schemas.Pods, Namespace: "default", Name: schemas.Name(name)}); !ok || obj.GetDeletionTimestamp() != nil {
			t.Errorf("%s is driven out although that is not enough", name)
		}
	}
	r.put(ring(3))
	for _, name := range []string{"low1", "low2", "low3"} {
		r.awaitGone(name)
	}
	for i := range 3 {
		r.await(fmt.Sprintf("m%d", i), "placed", func(p *v1.Pod) bool { return p.Spec.NodeName != "" })
	}
}

func ring(minCount int32) *schedulingv1beta1.PodGroup {
	g := &schedulingv1beta1.PodGroup{TypeMeta: metav1.TypeMeta{APIVersion: "scheduling.k8s.io/v1beta1", Kind: "PodGroup"}, ObjectMeta: metav1.ObjectMeta{Name: "ring", Namespace: "default"}}
	g.Spec.SchedulingPolicy.Gang = &schedulingv1beta1.GangSchedulingPolicy{MinCount: minCount}
	return g
}

func inRing(p *v1.Pod) {
	p.Spec.SchedulingGroup = &v1.PodSchedulingGroup{PodGroupName: ptr.To("ring")}
}

// TestGangIsExplained: each member's node has the score that it was chosen for, a member that
// fits but waits for the others is told so, and one too many is told what is against it.
func TestGangIsExplained(t *testing.T) {
	r := newRig(t)
	r.put(ring(2), r.node("n1", "1"), r.pod("a", "1", inRing), r.pod("b", "1", inRing))
	r.run(v1.DefaultSchedulerName)
	for _, name := range []string{"a", "b"} { // written one by one, in no order
		r.await(name, "refused with the other", condition(v1.PodReasonUnschedulable))
	}
	ask := func(name string) (e placement.Explanation) {
		t.Helper()
		answer, err := r.explain(`{"namespace":"default","name":"` + name + `"}`)
		if err == nil {
			err = json.Unmarshal(answer, &e)
		}
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	if e := ask("a"); e.Fits != 1 || !strings.Contains(e.Message, "1 of 2 pods fit, 2 must") || e.Change == "" {
		t.Errorf("waiting: %+v", e)
	}
	r.put(r.node("n2", "1"), r.pod("c", "1", inRing))
	placed := func(p *v1.Pod) bool { return p.Spec.NodeName != "" }
	for _, name := range []string{"a", "b"} {
		p := r.await(name, "placed", placed)
		if e := ask(name); e.Decided == nil || e.Decided.Node != p.Spec.NodeName || e.Decided.Score.Total == 0 {
			t.Errorf("%s on %s: decided by %+v", name, p.Spec.NodeName, e.Decided)
		}
	}
	r.await("c", "told what is against it", func(p *v1.Pod) bool {
		return condition(v1.PodReasonUnschedulable)(p) && p.Status.Conditions[0].Message == "0/2 nodes are available: 2 Insufficient cpu."
	})
}

// TestGangInOneRack: a group with a topology constraint is in one domain, also with who
// comes later, and drives nobody out.
func TestGangInOneRack(t *testing.T) {
	r := newRig(t)
	rack := func(name, cpu, rack string) *v1.Node {
		n := r.node(name, cpu)
		n.Labels = map[string]string{"rack": rack}
		return n
	}
	group := ring(3)
	group.Spec.SchedulingConstraints = &schedulingv1beta1.PodGroupSchedulingConstraints{Topology: []schedulingv1beta1.TopologyConstraint{{Key: "rack"}}}
	r.put(group, rack("a1", "2", "a"), rack("b1", "2", "b"))
	for i := range 3 {
		r.put(r.pod(fmt.Sprintf("m%d", i), "1", inRing))
	}
	r.run(v1.DefaultSchedulerName)
	r.await("m0", "refused with the others", func(p *v1.Pod) bool {
		return condition(v1.PodReasonUnschedulable)(p) && strings.HasPrefix(p.Status.Conditions[0].Message, `pod group "ring": 2 of 3 pods fit, 3 must. `)
	})
	r.put(rack("b2", "2", "b"))
	in := func(names ...string) func(*v1.Pod) bool {
		return func(p *v1.Pod) bool { return slices.Contains(names, p.Spec.NodeName) }
	}
	for i := range 3 {
		r.await(fmt.Sprintf("m%d", i), "placed", in("b1", "b2"))
	}
	r.put(r.pod("m3", "1", inRing), r.pod("m4", "1", inRing))
	r.await("m3", "placed with the others", in("b1", "b2"))
	r.await("m4", "kept out of the other rack", func(p *v1.Pod) bool {
		return condition(v1.PodReasonUnschedulable)(p) && strings.Contains(p.Status.Conditions[0].Message, "1 node(s) were in another topology domain than the pod group")
	})
}
