package validate_test

import (
	"testing"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestNodeAffinity(t *testing.T) {
	need := func(part string) string {
		return "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms" + part
	}
	terms := func(list ...v1.NodeSelectorTerm) func(*v1.Pod) {
		return func(p *v1.Pod) {
			p.Spec.Affinity = &v1.Affinity{NodeAffinity: &v1.NodeAffinity{
				RequiredDuringSchedulingIgnoredDuringExecution: &v1.NodeSelector{NodeSelectorTerms: list}}}
		}
	}
	expr := func(op v1.NodeSelectorOperator, values ...string) func(*v1.Pod) {
		return terms(v1.NodeSelectorTerm{MatchExpressions: []v1.NodeSelectorRequirement{{Key: "k", Operator: op, Values: values}}})
	}
	fields := func(key string, op v1.NodeSelectorOperator, values ...string) func(*v1.Pod) {
		return terms(v1.NodeSelectorTerm{MatchFields: []v1.NodeSelectorRequirement{{Key: key, Operator: op, Values: values}}})
	}
	at := need("[0].matchExpressions[0]")
	runPods(t, []podCase{
		{"nodeSelector", func(p *v1.Pod) { p.Spec.NodeSelector = map[string]string{"a b": "c"} }, one(invalid, "spec.nodeSelector", "name part")},
		{"good", expr(v1.NodeSelectorOpIn, "a", "b"), nil},
		{"no terms", terms(), one(required, need(""), "at least one")},
		{"In", expr(v1.NodeSelectorOpIn), one(required, at+".values", "'In' or 'NotIn'")},
		{"Exists", expr(v1.NodeSelectorOpExists, "a"), one(forbidden, at+".values", "'Exists'")},
		{"Gt", expr(v1.NodeSelectorOpGt), one(required, at+".values", "'Lt' or 'Gt'")},
		{"operator", expr("Equals", "a"), one(invalid, at+".operator", "not a valid selector operator")},
		{"value", expr(v1.NodeSelectorOpIn, "a b"), one(invalid, at+".values[0]", "a valid label must be")},
		{"fields", fields("metadata.name", v1.NodeSelectorOpIn, "n1"), nil},
		{"fields value", fields("metadata.name", v1.NodeSelectorOpIn, "N"), one(invalid, need("[0].matchFields[0].values[0]"), "RFC 1123")},
		{"fields key", fields("spec.x", v1.NodeSelectorOpIn, "a"), one(invalid, need("[0].matchFields[0].key"), "not a valid field selector key")},
		{"fields operator", fields("metadata.name", v1.NodeSelectorOpExists), one(invalid, need("[0].matchFields[0].operator"), "not a valid")},
		{"fields values", fields("metadata.name", v1.NodeSelectorOpIn), one(required, need("[0].matchFields[0].values"), "only one value")},
		{"weight", func(p *v1.Pod) {
			p.Spec.Affinity = &v1.Affinity{NodeAffinity: &v1.NodeAffinity{PreferredDuringSchedulingIgnoredDuringExecution: []v1.PreferredSchedulingTerm{{Weight: 101}}}}
		}, one(invalid, "spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight", "1-100")},
	})
}

func TestPodAffinity(t *testing.T) {
	at := "spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0]"
	set := func(term v1.PodAffinityTerm) func(*v1.Pod) {
		return func(p *v1.Pod) {
			p.Spec.Affinity = &v1.Affinity{PodAntiAffinity: &v1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []v1.PodAffinityTerm{term}}}
		}
	}
	web := &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}
	runPods(t, []podCase{
		{"good", set(v1.PodAffinityTerm{TopologyKey: "kubernetes.io/hostname", LabelSelector: web}), nil},
		{"no key", set(v1.PodAffinityTerm{LabelSelector: web}), []fault{{required, at + ".topologyKey", "can not be empty"}, {invalid, at + ".topologyKey", "name part must be non-empty"}, {invalid, at + ".topologyKey", "name part must consist"}}},
		{"namespaces", set(v1.PodAffinityTerm{TopologyKey: "k", Namespaces: []string{"A"}}), one(invalid, at+".namespaces[0]", "RFC 1123")},
		{"selector", set(v1.PodAffinityTerm{TopologyKey: "k", LabelSelector: &metav1.LabelSelector{
			MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Like"}}}}),
			one(invalid, at+".labelSelector.matchExpressions[0].operator", "not a valid selector operator")},
		{"keys alone", set(v1.PodAffinityTerm{TopologyKey: "k", MatchLabelKeys: []string{"a"}}), one(forbidden, at+".matchLabelKeys", "labelSelector")},
		{"keys twice", set(v1.PodAffinityTerm{TopologyKey: "k", LabelSelector: web, MatchLabelKeys: []string{"a"}, MismatchLabelKeys: []string{"a"}}),
			one(invalid, at+".matchLabelKeys[0]", "both matchLabelKeys and mismatchLabelKeys")},
		{"weight", func(p *v1.Pod) {
			p.Spec.Affinity = &v1.Affinity{PodAffinity: &v1.PodAffinity{PreferredDuringSchedulingIgnoredDuringExecution: []v1.WeightedPodAffinityTerm{
				{PodAffinityTerm: v1.PodAffinityTerm{TopologyKey: "k"}}}}}
		}, one(invalid, "spec.affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight", "1-100")},
	})
}

func TestTolerations(t *testing.T) {
	at := "spec.tolerations[0]"
	set := func(x v1.Toleration) func(*v1.Pod) {
		return func(p *v1.Pod) { p.Spec.Tolerations = []v1.Toleration{x} }
	}
	runPods(t, []podCase{
		{"all", set(v1.Toleration{Operator: v1.TolerationOpExists}), nil},
		{"equal", set(v1.Toleration{Key: "a", Value: "b"}), nil},
		{"no key", set(v1.Toleration{Operator: v1.TolerationOpEqual}), one(invalid, at+".operator", "must be Exists when `key` is empty")},
		{"key", set(v1.Toleration{Key: "a b"}), one(invalid, at+".key", "name part")},
		{"operator", set(v1.Toleration{Key: "a", Operator: "In"}), one(unsupported, at+".operator", `"Equal", "Exists"`)},
		{"greater than", set(v1.Toleration{Key: "a", Operator: v1.TolerationOpGt, Value: "950"}), nil},
		{"greater than a word", set(v1.Toleration{Key: "a", Operator: v1.TolerationOpGt, Value: "gold"}), one(invalid, at+".value", "integer")},
		{"exists value", set(v1.Toleration{Key: "a", Operator: v1.TolerationOpExists, Value: "b"}), one(invalid, at+".operator", "must be empty")},
		{"value", set(v1.Toleration{Key: "a", Value: "b c"}), one(invalid, at+".value", "a valid label must be")},
		{"effect", set(v1.Toleration{Key: "a", Effect: "Stop"}), one(unsupported, at+".effect", `"NoSchedule", "PreferNoSchedule", "NoExecute"`)},
		{"seconds", set(v1.Toleration{Key: "a", Effect: v1.TaintEffectNoSchedule, TolerationSeconds: new(int64(1))}), one(invalid, at+".effect", "'NoExecute'")},
	})
}

func TestTopologySpread(t *testing.T) {
	at := "spec.topologySpreadConstraints[0]"
	good := v1.TopologySpreadConstraint{MaxSkew: 1, TopologyKey: "zone", WhenUnsatisfiable: v1.DoNotSchedule,
		LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}}
	set := func(change func(*v1.TopologySpreadConstraint)) func(*v1.Pod) {
		return func(p *v1.Pod) {
			c := *good.DeepCopy()
			change(&c)
			p.Spec.TopologySpreadConstraints = []v1.TopologySpreadConstraint{c}
		}
	}
	type constraint = v1.TopologySpreadConstraint
	runPods(t, []podCase{
		{"good", set(func(*constraint) {}), nil},
		{"maxSkew", set(func(c *constraint) { c.MaxSkew = 0 }), one(invalid, at+".maxSkew", "greater than zero")},
		{"key", set(func(c *constraint) { c.TopologyKey = "" }), one(required, at+".topologyKey", "can not be empty")},
		{"when", set(func(c *constraint) { c.WhenUnsatisfiable = "Never" }), one(unsupported, at+".whenUnsatisfiable", `"DoNotSchedule", "ScheduleAnyway"`)},
		{"minDomains", set(func(c *constraint) { c.MinDomains, c.WhenUnsatisfiable = new(int32(0)), v1.ScheduleAnyway }),
			[]fault{{invalid, at + ".minDomains", "greater than zero"}, {invalid, at + ".minDomains", "can only use minDomains"}}},
		{"policy", set(func(c *constraint) { c.NodeTaintsPolicy = new(v1.NodeInclusionPolicy("x")) }), one(unsupported, at+".nodeTaintsPolicy", `"Honor", "Ignore"`)},
		{"keys", set(func(c *constraint) { c.MatchLabelKeys = []string{"app"} }), one(invalid, at+".matchLabelKeys[0]", "both matchLabelKeys and labelSelector")},
		{"twice", func(p *v1.Pod) { p.Spec.TopologySpreadConstraints = []constraint{good, good} },
			one(duplicate, "spec.topologySpreadConstraints[1]", "{zone, DoNotSchedule}")},
		{"gates", func(p *v1.Pod) {
			p.Spec.SchedulingGates = []v1.PodSchedulingGate{{Name: "a b"}, {Name: "c"}, {Name: "c"}}
		},
			[]fault{{invalid, "spec.schedulingGates[0]", "name part"}, {duplicate, "spec.schedulingGates[2]", "c"}}},
	})
}
