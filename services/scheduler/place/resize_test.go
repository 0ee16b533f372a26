package place

import (
	"testing"

	v1 "k8s.io/api/core/v1"
)

func TestReserved(t *testing.T) {
	granted := func(cpu, memory string, reason string) func(*v1.Pod) {
		return func(p *v1.Pod) {
			p.Status.ContainerStatuses = []v1.ContainerStatus{{Name: "c", AllocatedResources: pod("x", cpu, memory).Spec.Containers[0].Resources.Requests}}
			if reason != "" {
				p.Status.Conditions = []v1.PodCondition{{Type: v1.PodResizePending, Status: v1.ConditionTrue, Reason: reason}}
			}
		}
	}
	whole := func(cpu, told string, reason string) func(*v1.Pod) {
		return func(p *v1.Pod) {
			p.Spec.Resources = &v1.ResourceRequirements{Requests: pod("x", cpu, "1Gi").Spec.Containers[0].Resources.Requests}
			p.Status.Resources = &v1.ResourceRequirements{Requests: pod("x", told, "1Gi").Spec.Containers[0].Resources.Requests}
			p.Status.Conditions = []v1.PodCondition{{Type: v1.PodResizePending, Status: v1.ConditionTrue, Reason: reason}}
		}
	}
	for _, c := range []struct {
		name        string
		pod         *v1.Pod
		cpu, memory int64
	}{
		{"nothing granted yet", pod("p", "1", "1Gi"), 1000, 1 << 30},
		{"granted as asked", pod("p", "1", "1Gi", granted("1000m", "1Gi", "")), 1000, 1 << 30},
		{"grows", pod("p", "2", "1Gi", granted("1", "2Gi", "Deferred")), 2000, 2 << 30},
		{"grows as a whole", pod("p", "1", "1Gi", whole("3", "2", "Deferred")), 3000, 1 << 30},
		{"shrinks as a whole", pod("p", "1", "1Gi", whole("1", "2", "")), 2000, 1 << 30},
		{"cannot grow as a whole", pod("p", "1", "1Gi", whole("3", "2", "Infeasible")), 2000, 1 << 30},
		{"cannot grow", pod("p", "2", "1Gi", granted("1", "2Gi", "Infeasible")), 1000, 2 << 30},
	} {
		before := c.pod.DeepCopy()
		if got := NewPod(c.pod).Request; got.MilliCPU != c.cpu || got.Memory != c.memory {
			t.Errorf("%s: %+v", c.name, got)
		}
		if c.pod.Spec.Containers[0].Resources.Requests.Cpu().Cmp(*before.Spec.Containers[0].Resources.Requests.Cpu()) != 0 {
			t.Errorf("%s: the pod was changed", c.name)
		}
	}
}
