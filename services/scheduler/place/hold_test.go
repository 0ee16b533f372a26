package place

import (
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
