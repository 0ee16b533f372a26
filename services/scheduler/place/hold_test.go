package place

import (
	"fmt"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
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
	// Of pods of one template the traits are one as well, but where labels or requests differ.
	with := func(name string, edit func(*v1.Pod)) *traits {
		p := &v1.Pod{Spec: template}
		p.Namespace, p.Name, p.UID, p.Labels = "ns", name, types.UID(name), map[string]string{"app": "a"}
		edit(p)
		c.SetPod(NewPod(p), "n1")
		return c.pods[p.UID].pod.traits
	}
	plain := func(*v1.Pod) {}
	common := with("c", plain)
	if with("d", plain) != common {
		t.Error("two pods of one template have two traits")
	}
	for name, edit := range map[string]func(*v1.Pod){
		"labels":   func(p *v1.Pod) { p.Labels = map[string]string{"app": "b"} },
		"priority": func(p *v1.Pod) { p.Spec.Priority = new(int32(7)) },
		"owner":    func(p *v1.Pod) { p.OwnerReferences = []metav1.OwnerReference{{UID: "o", Controller: new(true)}} },
		"grant": func(p *v1.Pod) {
			p.Status.ContainerStatuses = []v1.ContainerStatus{{Name: p.Spec.Containers[0].Name, AllocatedResources: v1.ResourceList{v1.ResourceCPU: resource.MustParse("9")}}}
		},
	} {
		if other := with(name, edit); other == common || other.spec != common.spec {
			t.Errorf("%s: the same traits, or another spec", name)
		}
		if with(name, plain); c.pods[types.UID(name)].pod.Request.MilliCPU != common.Request.MilliCPU {
			t.Errorf("%s: not as the others afterwards", name)
		}
	}
	for n := range 3 * keptTraits {
		place(fmt.Sprint(n), "n1", func(s *v1.PodSpec) { s.Containers = []v1.Container{{}} })
	}
	if len(c.traits) > keptTraits {
		t.Errorf("%d traits are remembered", len(c.traits))
	}
}
