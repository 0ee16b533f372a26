package place

import (
	"fmt"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/schemas"
)

// TestHoldsSeesWhatIsNotInTheSpec: pods of one template share their spec, so that the same
// memory does not say that nothing changed.
func TestHoldsSeesWhatIsNotInTheSpec(t *testing.T) {
	pod := &v1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "a", UID: "u", Labels: map[string]string{"a": "1"}}}
	pod.Spec.NodeName, pod.Spec.Containers = "n1", []v1.Container{{Name: "c"}}
	c := NewCluster(Policy{})
	c.SetPod(NewPod(pod), "n1")
	if !c.Holds(pod) {
		t.Error("the pod is not held as it is")
	}
	labelled, going, adopted, moved := *pod, *pod, *pod, *pod
	labelled.Labels = map[string]string{"a": "2"}
	going.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)}
	yes := true
	adopted.OwnerReferences = []metav1.OwnerReference{{UID: "o", Controller: &yes}}
	moved.Spec.NodeName = "n2"
	for what, changed := range map[string]*v1.Pod{"labels": &labelled, "deletion": &going, "owner": &adopted, "node": &moved} {
		if c.Holds(changed) {
			t.Errorf("a change of %s is not seen", what)
		}
	}
}

// TestKeptSpecs: placed pods of one template keep one spec in memory, and what differs in
// anything that placing reads is not taken for the same.
func TestKeptSpecs(t *testing.T) {
	c := NewCluster(Policy{})
	template := pod("a", "1", "1Gi").Spec
	place := func(name, node string, edit func(*v1.PodSpec)) *v1.PodSpec {
		p := &v1.Pod{Spec: template}
		p.Namespace, p.Name, p.UID, p.Spec.NodeName = "ns", name, types.UID(name), node
		edit(&p.Spec)
		c.SetPod(NewPod(p), schemas.NodeName(node))
		return c.pods[p.UID].pod.spec
	}
	first := place("a", "n1", func(*v1.PodSpec) {})
	if place("b", "n2", func(*v1.PodSpec) {}) != first {
		t.Error("two pods of one template keep two specs")
	}
	for name, edit := range map[string]func(*v1.PodSpec){
		"affinity":   func(s *v1.PodSpec) { s.Affinity = &v1.Affinity{} },
		"spread":     func(s *v1.PodSpec) { s.TopologySpreadConstraints = []v1.TopologySpreadConstraint{{}} },
		"toleration": func(s *v1.PodSpec) { s.Tolerations = []v1.Toleration{{}} },
		"selector":   func(s *v1.PodSpec) { s.NodeSelector = map[string]string{"a": "b"} },
		"containers": func(s *v1.PodSpec) { s.Containers = s.Containers[:1:1]; s.InitContainers = s.Containers },
	} {
		if place(name, "n1", edit) == first {
			t.Errorf("another %s is taken for the same", name)
		}
	}
	for n := range 3 * keptSpecs {
		place(fmt.Sprint(n), "n1", func(s *v1.PodSpec) { s.Containers = []v1.Container{{}} })
	}
	if len(c.specs) > keptSpecs {
		t.Errorf("%d specs are remembered", len(c.specs))
	}
}
