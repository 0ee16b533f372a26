package validate_test

import (
	"testing"

	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/schemas/validate"
)

// updateCase is a good pod before and after a change, and what is wrong with the change.
type updateCase struct {
	name     string
	old, now func(*v1.Pod)
	want     []fault
}

func runUpdates(t *testing.T, cases []updateCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			old, now := goodPod(), goodPod()
			c.old(old)
			c.now(now)
			wasOld, wasNow := old.DeepCopy(), now.DeepCopy()
			expect(t, validate.PodUpdate(now, old), c.want...)
			if !equalJSON(t, old, wasOld) || !equalJSON(t, now, wasNow) {
				t.Error("validation changed a pod")
			}
		})
	}
}

func nothing(*v1.Pod) {}

func TestPodUpdate(t *testing.T) {
	deadline := func(n int64) func(*v1.Pod) {
		return func(p *v1.Pod) { p.Spec.ActiveDeadlineSeconds = &n }
	}
	grace := func(n int64) func(*v1.Pod) {
		return func(p *v1.Pod) { p.Spec.TerminationGracePeriodSeconds = &n }
	}
	tolerate := func(list ...v1.Toleration) func(*v1.Pod) {
		return func(p *v1.Pod) { p.Spec.Tolerations = list }
	}
	short := v1.Toleration{Key: "a", Operator: v1.TolerationOpExists, Effect: v1.TaintEffectNoExecute, TolerationSeconds: new(int64(1))}
	long := *short.DeepCopy()
	long.TolerationSeconds = new(int64(9))
	runUpdates(t, []updateCase{
		{"image", nothing, func(p *v1.Pod) { app(p).Image, p.Spec.InitContainers[0].Image = "b", "c" }, nil},
		{"no image", nothing, func(p *v1.Pod) { app(p).Image = "" }, one(required, appAt(".image"), "")},
		{"labels", nothing, func(p *v1.Pod) { p.Labels = map[string]string{"a": "b"} }, nil},
		{"command", nothing, func(p *v1.Pod) { app(p).Command = []string{"x"} }, one(forbidden, "spec", "changed: spec.containers")},
		{"several", nothing, func(p *v1.Pod) { p.Spec.HostPID, p.Spec.NodeName = true, "n" }, one(forbidden, "spec", "changed: spec.nodeName, spec.hostPID")},
		{"added container", nothing, func(p *v1.Pod) {
			p.Spec.Containers = append(p.Spec.Containers, *app(p).DeepCopy())
			p.Spec.Containers[1].Name = "b"
		}, one(forbidden, "spec.containers", "may not add or remove containers")},
		{"removed init", nothing, func(p *v1.Pod) { p.Spec.InitContainers = nil }, one(forbidden, "spec.initContainers", "may not add or remove")},
		{"deadline set", nothing, deadline(5), nil},
		{"deadline sooner", deadline(5), deadline(3), nil},
		{"deadline later", deadline(5), deadline(6), one(invalid, "spec.activeDeadlineSeconds", "less than or equal to previous")},
		{"deadline unset", deadline(5), nothing, one(invalid, "spec.activeDeadlineSeconds", "to nil value")},
		{"grace", nothing, grace(1), one(forbidden, "spec", "spec.terminationGracePeriodSeconds")},
		{"grace was negative", grace(-1), grace(1), nil},
		{"grace was negative, wrong", grace(-1), grace(2), one(forbidden, "spec", "spec.terminationGracePeriodSeconds")},
		{"toleration added", tolerate(short), tolerate(short, v1.Toleration{Operator: v1.TolerationOpExists}), nil},
		{"toleration lengthened", tolerate(short), tolerate(long), nil},
		{"toleration removed", tolerate(short), tolerate(), one(forbidden, "spec.tolerations", "can not be modified")},
		{"name", nothing, func(p *v1.Pod) { p.Name = "other" }, one(invalid, "metadata.name", "field is immutable")},
		{"no resourceVersion", nothing, func(p *v1.Pod) { p.ResourceVersion = "" }, one(invalid, "metadata.resourceVersion", "must be specified for an update")},
		{"bad label", nothing, func(p *v1.Pod) { p.Labels = map[string]string{"a": "b c"} }, one(invalid, "metadata.labels", "a valid label")},
	})
}

// A pod that waits for its scheduling gates may still be narrowed to fewer nodes.
func TestGatedPodUpdate(t *testing.T) {
	gates := func(names ...string) func(*v1.Pod) {
		return func(p *v1.Pod) {
			p.Spec.SchedulingGates = nil
			for _, n := range names {
				p.Spec.SchedulingGates = append(p.Spec.SchedulingGates, v1.PodSchedulingGate{Name: n})
			}
		}
	}
	gatedWith := func(change func(*v1.Pod)) func(*v1.Pod) {
		return func(p *v1.Pod) { gates("a")(p); change(p) }
	}
	selector := func(m map[string]string) func(*v1.Pod) {
		return func(p *v1.Pod) { p.Spec.NodeSelector = m }
	}
	runUpdates(t, []updateCase{
		{"gate cleared", gates("a", "b"), gates("b"), nil},
		{"gate added", gates("a"), gates("a", "b"), one(forbidden, "spec.schedulingGates[1].name", "only deletion is allowed")},
		{"selector of gated", gatedWith(selector(map[string]string{"a": "1"})), gatedWith(selector(map[string]string{"a": "1", "b": "2"})), nil},
		{"selector of gated changed", gatedWith(selector(map[string]string{"a": "1"})), gatedWith(selector(map[string]string{"a": "2"})),
			one(invalid, "spec.nodeSelector", "only additions")},
		{"selector of running", nothing, selector(map[string]string{"a": "1"}), one(forbidden, "spec", "spec.nodeSelector")},
		{"affinity of gated", gates("a"), gatedWith(onNode("n1")), nil},
		{"affinity of gated changed", gatedWith(onNode("n1")), gatedWith(onNode("n2")),
			one(invalid, "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0]", "only additions")},
		{"affinity of gated removed", gatedWith(onNode("n1")), gates("a"),
			one(invalid, "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms", "no additions/deletions")},
	})
}

// onNode requires the node called name.
func onNode(name string) func(*v1.Pod) {
	return func(p *v1.Pod) {
		p.Spec.Affinity = &v1.Affinity{NodeAffinity: &v1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &v1.NodeSelector{
			NodeSelectorTerms: []v1.NodeSelectorTerm{{MatchFields: []v1.NodeSelectorRequirement{
				{Key: "metadata.name", Operator: v1.NodeSelectorOpIn, Values: []string{name}}}}}}}}
	}
}
