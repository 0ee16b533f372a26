package resize

import (
	"testing"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

func list(cpu, memory string) v1.ResourceList {
	l := v1.ResourceList{}
	if cpu != "" {
		l[v1.ResourceCPU] = resource.MustParse(cpu)
	}
	if memory != "" {
		l[v1.ResourceMemory] = resource.MustParse(memory)
	}
	return l
}

func pod(requests, limits v1.ResourceList) *v1.Pod {
	p := &v1.Pod{}
	p.Generation = 3
	p.Spec.Containers = []v1.Container{{Name: "c", Resources: v1.ResourceRequirements{Requests: requests, Limits: limits}}}
	return p
}

func TestGranted(t *testing.T) {
	p := pod(list("500m", "64Mi"), list("1", ""))
	p.Spec.Containers[0].Resources.Limits["ephemeral-storage"] = resource.MustParse("1Gi")
	if got := Granted(p, v1.PodStatus{}); got != p {
		t.Error("a new pod is granted what it asks for")
	}
	same := p.Spec.Containers[0].Resources.DeepCopy()
	same.Requests[v1.ResourceCPU] = resource.MustParse("0.5")
	if got := Granted(p, v1.PodStatus{ContainerStatuses: []v1.ContainerStatus{{Name: "c", Resources: same}}}); got != p {
		t.Error("another way to write an amount is no change")
	}
	before := &v1.ResourceRequirements{Requests: list("250m", "64Mi")}
	got := Granted(p, v1.PodStatus{ContainerStatuses: []v1.ContainerStatus{{Name: "c", Resources: before}}}).Spec.Containers[0].Resources
	if got.Requests.Cpu().String() != "250m" || !got.Limits.Cpu().IsZero() || got.Limits.StorageEphemeral().IsZero() {
		t.Errorf("granted %+v", got)
	}
	if p.Spec.Containers[0].Resources.Requests.Cpu().String() != "500m" {
		t.Error("the order was changed")
	}
}

// TestGrantedAsAWhole: the same for what a pod has as a whole, also if it had nothing before.
func TestGrantedAsAWhole(t *testing.T) {
	p := pod(list("1", ""), nil)
	p.Spec.Resources = &v1.ResourceRequirements{Requests: list("2", "1Gi"), Limits: list("", "2Gi")}
	told := func(r *v1.ResourceRequirements) v1.PodStatus {
		return v1.PodStatus{Phase: v1.PodRunning, Resources: r}
	}
	if Granted(p, v1.PodStatus{}) != p || Granted(p, told(p.Spec.Resources.DeepCopy())) != p {
		t.Error("what is asked for was not granted")
	}
	if got := Granted(p, told(&v1.ResourceRequirements{Requests: list("1", "1Gi"), Limits: list("", "1Gi")})).Spec.Resources; got.Requests.Cpu().String() != "1" || got.Limits.Memory().String() != "1Gi" {
		t.Errorf("granted %+v", got)
	}
	added := Granted(p, told(nil))
	if added.Spec.Resources != nil || p.Spec.Resources == nil {
		t.Errorf("granted %+v", added.Spec.Resources)
	}
	if why := Decide(p, added, Room{Allocatable: list("2", "4Gi"), Taken: list("500m", "")}); why == nil || why.Reason != "Deferred" {
		t.Errorf("decided %+v", why)
	}
}

func TestDecide(t *testing.T) {
	room := Room{Allocatable: list("2", "1Gi"), Taken: list("1", "900Mi")}
	for _, c := range []struct {
		name            string
		want, have      v1.ResourceList
		reason, message string
	}{
		{"fits", list("1", "64Mi"), list("500m", "64Mi"), "", ""},
		{"never", list("3", ""), list("1", ""), "Infeasible", "Node didn't have enough capacity: cpu, requested: 3000, capacity: 2000"},
		{"not now", list("1500m", ""), list("1", ""), "Deferred", "Node didn't have enough resource: cpu, requested: 1500, used: 1000, capacity: 2000"},
		{"never is said before not now", list("1500m", "2Gi"), list("1", ""), "Infeasible", "Node didn't have enough capacity: memory, requested: 2147483648, capacity: 1073741824"},
		{"less, on a node that has none left", list("", "500Mi"), list("", "600Mi"), "", ""},
		{"one less, the other fits", list("500m", "100Mi"), list("250m", "600Mi"), "", ""},
	} {
		got := Decide(pod(c.want, nil), pod(c.have, nil), room)
		switch {
		case got == nil && c.reason != "", got != nil && (got.Reason != c.reason || got.Message != c.message):
			t.Errorf("%s: %+v", c.name, got)
		case got != nil && (got.Type != v1.PodResizePending || got.Status != v1.ConditionTrue || got.ObservedGeneration != 3):
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

func TestRestarts(t *testing.T) {
	c := &pod(list("1", "64Mi"), nil).Spec.Containers[0]
	c.ResizePolicy = []v1.ContainerResizePolicy{{ResourceName: "cpu", RestartPolicy: v1.NotRequired}, {ResourceName: "memory", RestartPolicy: v1.RestartContainer}}
	if Restarts(c, v1.ResourceRequirements{Requests: list("2", "64Mi")}) || !Restarts(c, v1.ResourceRequirements{Requests: list("1", "32Mi")}) {
		t.Error("the policy of another resource counted")
	}
}

func TestEvent(t *testing.T) {
	is := &v1.PodCondition{Reason: "Deferred", Message: "m"}
	if _, reason, _ := Event(nil, is); reason != "ResizeDeferred" {
		t.Errorf("reason %q", reason)
	}
	if _, reason, _ := Event(is, is.DeepCopy()); reason != "" {
		t.Error("said twice")
	}
	if _, reason, _ := Event(is, nil); reason != "" {
		t.Error("nothing is pending any more")
	}
}
