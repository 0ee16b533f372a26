//go:build linux

package pod_test

import (
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/skerry/skerry/schemas/share"
	"github.com/skerry/skerry/services/agent/pod"
)

// memory has a container request a quarter of its limit.
func memory(limit string) func(*v1.Pod) {
	return func(p *v1.Pod) {
		l := resource.MustParse(limit)
		r := *resource.NewQuantity(l.Value()/4, resource.BinarySI)
		p.Spec.Containers[0].Resources = v1.ResourceRequirements{
			Requests: v1.ResourceList{v1.ResourceMemory: r}, Limits: v1.ResourceList{v1.ResourceMemory: l},
		}
	}
}

// pending is why the pod's change waits, "" if it does not.
func pending(st *v1.PodStatus) string {
	for _, c := range st.Conditions {
		if c.Type == v1.PodResizePending {
			return c.Reason
		}
	}
	return ""
}

// TestResizeOverRestarts: an agent goes on with what the one before it had begun, keeps
// putting off what does not fit, and grants it once there is room.
func TestResizeOverRestarts(t *testing.T) {
	g := newRig(t)
	g.has = v1.ResourceList{v1.ResourceCPU: resource.MustParse("1"), v1.ResourceMemory: resource.MustParse("48Mi")}
	p, other := web("web", forever, memory("32Mi")), web("other", forever, memory("64Mi"))
	k := pod.KeyOf(p)
	g.order(p)
	g.order(other)
	before := g.running(k, 0).ContainerStatuses[0]
	g.running(pod.KeyOf(other), 0)
	id := strings.TrimPrefix(before.ContainerID, "podman://")
	ask := func(limit string) { // while no agent runs
		t.Helper()
		g.stop()
		q := p.DeepCopy()
		q.Generation++
		memory(limit)(q)
		g.mu.Lock()
		g.orders[k] = share.Slim(q)
		g.mu.Unlock()
		p = q
		g.start()
	}
	has := func(limit string) func(st *v1.PodStatus) bool {
		return func(st *v1.PodStatus) bool {
			c := st.ContainerStatuses[0]
			return c.State.Running != nil && c.Resources.Limits.Memory().String() == limit && pending(st) == ""
		}
	}
	in := func(bytes int64) {
		t.Helper()
		if got, ok := g.driver.Cgroups().Settings(id); !ok || got.Memory != bytes {
			t.Errorf("the kernel has %+v, %v", got, ok)
		}
		if got, ok := g.driver.Cgroups().PodSettings(p.UID); !ok || got.Memory != bytes {
			t.Errorf("around it the kernel has %+v, %v", got, ok)
		}
	}
	ask("40Mi")
	g.await(k, "it is granted", has("40Mi"))
	in(40 << 20)
	ask("512Mi")
	g.await(k, "never", func(st *v1.PodStatus) bool { return pending(st) == v1.PodReasonInfeasible })
	ask("160Mi")
	g.await(k, "not now", func(st *v1.PodStatus) bool { return pending(st) == v1.PodReasonDeferred })
	g.stop()
	g.start()
	st := g.await(k, "still not now", func(st *v1.PodStatus) bool { return pending(st) == v1.PodReasonDeferred })
	if c := st.ContainerStatuses[0]; c.Resources.Limits.Memory().String() != "40Mi" || c.AllocatedResources.Memory().String() != "10Mi" {
		t.Errorf("it has %+v", c)
	}
	in(40 << 20)
	g.cancel(pod.KeyOf(other))
	st = g.await(k, "there is room", has("160Mi"))
	in(160 << 20)
	if c := st.ContainerStatuses[0]; c.ContainerID != before.ContainerID || c.RestartCount != 0 {
		t.Errorf("it became %+v", c)
	}
}
