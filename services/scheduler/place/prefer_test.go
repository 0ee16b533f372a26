package place

import (
	"fmt"
	"testing"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/schemas"
)

// TestPreferences: of nodes that all fit, the one that is wanted.
func TestPreferences(t *testing.T) {
	zone := func(z string) func(*v1.Node) { return func(n *v1.Node) { n.Labels["zone"] = z } }
	labelled := func(app string) func(*v1.Pod) { return func(p *v1.Pod) { p.Labels = map[string]string{"app": app} } }
	web := &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}
	term := v1.WeightedPodAffinityTerm{Weight: 100, PodAffinityTerm: v1.PodAffinityTerm{LabelSelector: web, TopologyKey: "zone"}}
	image := func(n *v1.Node) {
		n.Status.Images = []v1.ContainerImage{{Names: []string{"big:latest"}, SizeBytes: 900 << 20}}
	}
	tests := []struct {
		name   string
		nodes  []*v1.Node
		placed map[string]*v1.Pod
		pod    *v1.Pod
		policy Policy
		want   string
	}{
		{name: "preferred node affinity", nodes: []*v1.Node{node("a", "4", "8Gi"), node("b", "3", "6Gi", zone("eu"))},
			pod: pod("p", "1", "1Gi", func(p *v1.Pod) {
				p.Spec.Affinity = &v1.Affinity{NodeAffinity: &v1.NodeAffinity{PreferredDuringSchedulingIgnoredDuringExecution: []v1.PreferredSchedulingTerm{
					{Weight: 10, Preference: v1.NodeSelectorTerm{MatchExpressions: []v1.NodeSelectorRequirement{{Key: "zone", Operator: v1.NodeSelectorOpIn, Values: []string{"eu"}}}}}}}}
			}), want: "b"},
		{name: "a taint to avoid", nodes: []*v1.Node{node("a", "8", "16Gi", taint("k", "v", v1.TaintEffectPreferNoSchedule)), node("b", "4", "8Gi")}, pod: pod("p", "1", "1Gi"), want: "b"},
		{name: "preferred pod affinity", nodes: []*v1.Node{node("a", "8", "16Gi", zone("us")), node("b", "8", "16Gi", zone("eu")), node("c", "7", "14Gi", zone("eu"))},
			placed: map[string]*v1.Pod{"b": pod("w", "6", "12Gi", labelled("web"))}, pod: pod("p", "1", "1Gi", func(p *v1.Pod) {
				p.Spec.Affinity = &v1.Affinity{PodAffinity: &v1.PodAffinity{PreferredDuringSchedulingIgnoredDuringExecution: []v1.WeightedPodAffinityTerm{term}}}
			}), want: "c"},
		{name: "preferred pod anti-affinity", nodes: []*v1.Node{node("a", "4", "8Gi", zone("us")), node("b", "8", "16Gi", zone("eu"))},
			placed: map[string]*v1.Pod{"b": pod("w", "1m", "1Mi", labelled("web"))}, pod: pod("p", "1", "1Gi", func(p *v1.Pod) {
				p.Spec.Affinity = &v1.Affinity{PodAntiAffinity: &v1.PodAntiAffinity{PreferredDuringSchedulingIgnoredDuringExecution: []v1.WeightedPodAffinityTerm{term}}}
			}), want: "a"},
		{name: "what a placed pod prefers", nodes: []*v1.Node{node("a", "4", "8Gi", zone("us")), node("b", "8", "16Gi", zone("eu"))},
			placed: map[string]*v1.Pod{"b": pod("x", "1m", "1Mi", func(p *v1.Pod) {
				p.Spec.Affinity = &v1.Affinity{PodAntiAffinity: &v1.PodAntiAffinity{PreferredDuringSchedulingIgnoredDuringExecution: []v1.WeightedPodAffinityTerm{term}}}
			})}, pod: pod("p", "1", "1Gi", labelled("web")), want: "a"},
		{name: "soft spread", nodes: []*v1.Node{node("a", "4", "8Gi", zone("us")), node("b", "8", "16Gi", zone("eu"))},
			placed: map[string]*v1.Pod{"b": pod("w", "1m", "1Mi", labelled("web"))}, pod: pod("p", "1", "1Gi", labelled("web"), func(p *v1.Pod) {
				p.Spec.TopologySpreadConstraints = []v1.TopologySpreadConstraint{{MaxSkew: 1, TopologyKey: "zone", WhenUnsatisfiable: v1.ScheduleAnyway, LabelSelector: web}}
			}), want: "a"},
		{name: "the image is there", nodes: []*v1.Node{node("a", "4", "8Gi", image), node("b", "4", "8Gi")},
			pod: pod("p", "1", "1Gi", func(p *v1.Pod) { p.Spec.Containers[0].Image = "big" }), want: "a"},
		{name: "cpu and memory equally full", nodes: []*v1.Node{node("a", "4", "8Gi"), node("b", "4", "8Gi")},
			placed: map[string]*v1.Pod{"a": pod("x", "2", "0"), "b": pod("y", "0", "4Gi")}, pod: pod("p", "1", "0"), want: "b"},
		{name: "packing", nodes: []*v1.Node{node("a", "4", "8Gi"), node("b", "4", "8Gi")}, policy: Policy{Pack: true},
			placed: map[string]*v1.Pod{"a": pod("x", "1", "2Gi")}, pod: pod("p", "1", "2Gi"), want: "a"},
		{name: "spreading, by default", nodes: []*v1.Node{node("a", "4", "8Gi"), node("b", "4", "8Gi")},
			placed: map[string]*v1.Pod{"a": pod("x", "1", "2Gi")}, pod: pod("p", "1", "2Gi"), want: "b"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := NewCluster(tt.policy)
			for _, n := range tt.nodes {
				c.SetNode(n)
			}
			for on, p := range tt.placed {
				c.SetPod(NewPod(p), schemas.NodeName(on))
			}
			if got, err := c.Decide(NewPod(tt.pod)); string(got) != tt.want {
				t.Errorf("placed on %q (%v), want %q", got, err, tt.want)
			}
		})
	}
}

// TestNumericTolerations: Gt tolerates taints whose number is greater than the pod's.
func TestNumericTolerations(t *testing.T) {
	for _, tt := range []struct {
		op          v1.TolerationOperator
		pod, taint  string
		want        bool
		description string
	}{
		{v1.TolerationOpGt, "950", "999", true, "greater"}, {v1.TolerationOpGt, "950", "950", false, "equal is not greater"},
		{v1.TolerationOpLt, "950", "10", true, "less"}, {v1.TolerationOpLt, "950", "999", false, "not less"},
		{v1.TolerationOpGt, "950", "gold", false, "not a number"},
	} {
		c := NewCluster(Policy{})
		c.SetNode(node("a", "4", "8Gi", taint("sla", tt.taint, v1.TaintEffectNoSchedule)))
		p := pod("p", "1", "1Gi", func(p *v1.Pod) {
			p.Spec.Tolerations = []v1.Toleration{{Key: "sla", Operator: tt.op, Value: tt.pod, Effect: v1.TaintEffectNoSchedule}}
		})
		if _, err := c.Decide(NewPod(p)); (err == nil) != tt.want {
			t.Errorf("%s: %v", tt.description, err)
		}
	}
}

// TestAntiAffinityIsSymmetric: of two pods, one of which shuns the other, the second
// never joins the first, whichever it is.
func TestAntiAffinityIsSymmetric(t *testing.T) {
	shy := pod("shy", "1m", "1Mi", func(p *v1.Pod) {
		p.Spec.Affinity = &v1.Affinity{PodAntiAffinity: &v1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []v1.PodAffinityTerm{{
			LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}, TopologyKey: "kubernetes.io/hostname"}}}}
	})
	web := pod("web", "1m", "1Mi", func(p *v1.Pod) { p.Labels = map[string]string{"app": "web"} })
	for i, order := range [][2]*v1.Pod{{shy, web}, {web, shy}} {
		c := NewCluster(Policy{})
		c.SetNode(node("a", "4", "8Gi"))
		c.SetPod(NewPod(order[0]), "a")
		want := []string{reasonOthers, reasonFar}[i]
		if _, err := c.Decide(NewPod(order[1])); err == nil || err.Error() != fmt.Sprintf("0/1 nodes are available: 1 %s.", want) {
			t.Errorf("%s joins %s: %v", order[1].Name, order[0].Name, err)
		}
	}
}
