package place

import (
	"fmt"
	"testing"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestLabelsThatNobodyLooksAt: pods that differ in a label of their own share what is known
// of the nodes, until somebody looks at that label.
func TestLabelsThatNobodyLooksAt(t *testing.T) {
	c := NewCluster(Policy{})
	c.SetNode(node("a", "64", "64Gi"))
	c.SetNode(node("b", "64", "64Gi"))
	ordinal := func(i int) func(*v1.Pod) {
		return func(p *v1.Pod) {
			p.Labels = map[string]string{"app": "db", "apps.kubernetes.io/pod-index": fmt.Sprint(i)}
			p.Spec.Affinity = &v1.Affinity{PodAntiAffinity: &v1.PodAntiAffinity{PreferredDuringSchedulingIgnoredDuringExecution: []v1.WeightedPodAffinityTerm{{
				Weight: 1, PodAffinityTerm: v1.PodAffinityTerm{TopologyKey: v1.LabelHostname, LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "db"}}}}}}}
		}
	}
	for i := range 10 {
		p := NewPod(pod(fmt.Sprintf("db-%d", i), "1", "1Gi", ordinal(i)))
		on, err := c.Decide(p)
		if err != nil {
			t.Fatal(err)
		}
		c.SetPod(p, on)
	}
	if n := len(c.classes); n > 2 { // the first one came when nobody looked at app
		t.Errorf("%d classes for pods that are alike", n)
	}
	shy := pod("shy", "1", "1Gi", func(p *v1.Pod) {
		p.Spec.Affinity = &v1.Affinity{PodAntiAffinity: &v1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []v1.PodAffinityTerm{{
			TopologyKey: v1.LabelHostname, LabelSelector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
				{Key: "apps.kubernetes.io/pod-index", Operator: metav1.LabelSelectorOpIn, Values: []string{"0", "1", "11"}}}}}}}}
	})
	c.SetPod(NewPod(shy), "a")
	for i, want := range []bool{true, false} {
		err := c.Fits(NewPod(pod("late", "1", "1Gi", ordinal(10+i))), "a")
		if (err == nil) != want {
			t.Errorf("db-%d on a: %v, want %v", 10+i, err, want)
		}
	}
	single := pod("single", "1", "1Gi", ordinal(0), func(p *v1.Pod) { delete(p.Labels, "apps.kubernetes.io/pod-index") })
	if err := c.Fits(NewPod(single), "a"); err != nil {
		t.Errorf("one without the label on a: %v", err)
	}
}
