package validate_test

import (
	"testing"

	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"

	"github.com/skerry/skerry/schemas/validate"
)

func gangGroup(change func(*schedulingv1beta1.PodGroup)) *schedulingv1beta1.PodGroup {
	return with(schedulingv1beta1.PodGroup{ObjectMeta: meta("ring"), Spec: schedulingv1beta1.PodGroupSpec{
		SchedulingPolicy: schedulingv1beta1.PodGroupSchedulingPolicy{Gang: &schedulingv1beta1.GangSchedulingPolicy{MinCount: 3}},
	}}, change)
}

func TestPodGroup(t *testing.T) {
	type group = *schedulingv1beta1.PodGroup
	same := func(group) {}
	count := func(n int32) func(group) { return func(g group) { g.Spec.SchedulingPolicy.Gang.MinCount = n } }
	basic := func(g group) {
		g.Spec.SchedulingPolicy = schedulingv1beta1.PodGroupSchedulingPolicy{Basic: &schedulingv1beta1.BasicSchedulingPolicy{}}
	}
	racks := func(keys ...string) func(group) {
		return func(g group) {
			g.Spec.SchedulingConstraints = &schedulingv1beta1.PodGroupSchedulingConstraints{}
			for _, k := range keys {
				g.Spec.SchedulingConstraints.Topology = append(g.Spec.SchedulingConstraints.Topology, schedulingv1beta1.TopologyConstraint{Key: k})
			}
		}
	}
	single := func(g group) {
		g.Spec.DisruptionMode = &schedulingv1beta1.DisruptionMode{Single: &schedulingv1beta1.SingleDisruptionMode{}}
	}
	const policy, topology = "spec.schedulingPolicy", "spec.schedulingConstraints.topology"
	create := func(change func(group)) faultsCase { return faultsCase{got: validate.PodGroup(gangGroup(change))} }
	update := func(from, to func(group)) faultsCase {
		return faultsCase{got: validate.PodGroupUpdate(gangGroup(to), gangGroup(from))}
	}
	named := func(name string, c faultsCase, want []fault) faultsCase { return faultsCase{name, c.got, want} }
	run(t, []faultsCase{
		named("good", create(same), nil),
		named("basic", create(basic), nil),
		named("neither", create(func(g group) { g.Spec.SchedulingPolicy.Gang = nil }), one(required, policy, "exactly one of")),
		named("both", create(func(g group) { g.Spec.SchedulingPolicy.Basic = &schedulingv1beta1.BasicSchedulingPolicy{} }), one(invalid, policy, "multiple fields are set")),
		named("no count", create(count(0)), one(invalid, policy+".gang.minCount", "greater than zero")),
		named("rack", create(racks("example.com/rack")), nil),
		named("two racks", create(racks("a", "b")), one(tooMany, topology, "at most 1")),
		named("no key", create(racks("")), one(required, topology+"[0].key", "")),
		named("bad key", create(racks("a b")), one(invalid, topology+"[0].key", "")),
		named("parent alone", create(func(g group) { g.Spec.ParentCompositePodGroupName = new("p") }), one(required, "spec.workloadRef", "")),
		named("no mode", create(func(g group) { g.Spec.DisruptionMode = &schedulingv1beta1.DisruptionMode{} }), one(required, "spec.disruptionMode", "exactly one of")),
		named("too important", create(func(g group) { g.Spec.Priority = new(int32(1_000_000_001)) }), one(invalid, "spec.priority", "1000000000")),
		named("preemption", create(func(g group) { g.Spec.PreemptionPolicy = new(schedulingv1beta1.PreemptionPolicy("Later")) }), one(unsupported, "spec.preemptionPolicy", "Never")),
		named("another count", update(same, count(5)), nil),
		named("a gang no more", update(same, basic), one(invalid, "spec", "immutable")),
		named("another rack", update(racks("a"), racks("b")), one(invalid, "spec", "immutable")),
		named("the default, later", update(same, single), nil),
	})
}

func TestWorkload(t *testing.T) {
	type workload = *schedulingv1beta1.Workload
	good := func(change func(workload)) workload {
		return with(schedulingv1beta1.Workload{ObjectMeta: meta("train"), Spec: schedulingv1beta1.WorkloadSpec{
			ControllerRef:     &schedulingv1beta1.TypedLocalObjectReference{APIGroup: "apps", Kind: "Deployment", Name: "train"},
			PodGroupTemplates: []schedulingv1beta1.PodGroupTemplate{{Name: "workers", SchedulingPolicy: gangGroup(func(*schedulingv1beta1.PodGroup) {}).Spec.SchedulingPolicy}},
		}}, change)
	}
	same := func(workload) {}
	count := func(n int32) func(workload) {
		return func(w workload) {
			w.Spec.PodGroupTemplates[0].SchedulingPolicy.Gang = &schedulingv1beta1.GangSchedulingPolicy{MinCount: n}
		}
	}
	more := func(name string) func(workload) {
		return func(w workload) {
			w.Spec.PodGroupTemplates = append(w.Spec.PodGroupTemplates, w.Spec.PodGroupTemplates[0])
			w.Spec.PodGroupTemplates[1].Name = name
		}
	}
	const templates = "spec.podGroupTemplates"
	run(t, []faultsCase{
		{"good", validate.Workload(good(same)), nil},
		{"two", validate.Workload(good(more("leader"))), nil},
		{"twice", validate.Workload(good(more("workers"))), one(duplicate, templates+"[1].name", "")},
		{"none", validate.Workload(good(func(w workload) { w.Spec.PodGroupTemplates = nil })), one(required, templates, "at least one")},
		{"nobody", validate.Workload(good(func(w workload) { w.Spec.ControllerRef.Name = "" })), one(required, "spec.controllerRef.name", "")},
		{"path", validate.Workload(good(func(w workload) { w.Spec.ControllerRef.Kind = "a/b" })), one(invalid, "spec.controllerRef.kind", "")},
		{"no count", validate.Workload(good(count(0))), one(invalid, templates+"[0].schedulingPolicy.gang.minCount", "")},
		{"another count", validate.WorkloadUpdate(good(count(5)), good(same)), nil},
		{"one more", validate.WorkloadUpdate(good(more("leader")), good(same)), one(invalid, "spec", "immutable")},
		{"controlled later", validate.WorkloadUpdate(good(same), good(func(w workload) { w.Spec.ControllerRef = nil })), nil},
		{"controlled by another", validate.WorkloadUpdate(good(func(w workload) { w.Spec.ControllerRef.Name = "x" }), good(same)), one(invalid, "spec", "immutable")},
	})
}
