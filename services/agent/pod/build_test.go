package pod

import (
	"testing"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// TestAlone: what a pod's containers share, or have beside a network, needs more than a
// network's namespace.
func TestAlone(t *testing.T) {
	yes, no := true, false
	for _, c := range []struct {
		name string
		with func(*v1.PodSpec)
		want bool
	}{
		{"one container", func(*v1.PodSpec) {}, true},
		{"as by default", func(s *v1.PodSpec) {
			s.ShareProcessNamespace, s.HostUsers, s.SecurityContext = &no, &yes, &v1.PodSecurityContext{}
		}, true},
		{"one that looks into it", func(s *v1.PodSpec) { s.EphemeralContainers = make([]v1.EphemeralContainer, 1) }, true},
		{"a port of its own", func(s *v1.PodSpec) { s.Containers[0].Ports = []v1.ContainerPort{{ContainerPort: 80}} }, true},
		{"two containers", func(s *v1.PodSpec) { s.Containers = make([]v1.Container, 2) }, false},
		{"an init container", func(s *v1.PodSpec) { s.InitContainers = make([]v1.Container, 1) }, false},
		{"the host's network", func(s *v1.PodSpec) { s.HostNetwork = true }, false},
		{"the host's processes", func(s *v1.PodSpec) { s.HostPID = true }, false},
		{"the host's IPC", func(s *v1.PodSpec) { s.HostIPC = true }, false},
		{"shared processes", func(s *v1.PodSpec) { s.ShareProcessNamespace = &yes }, false},
		{"users of its own", func(s *v1.PodSpec) { s.HostUsers = &no }, false},
		{"a port of the host's", func(s *v1.PodSpec) { s.Containers[0].Ports = []v1.ContainerPort{{ContainerPort: 80, HostPort: 80}} }, false},
		{"kernel parameters", func(s *v1.PodSpec) { s.SecurityContext = &v1.PodSecurityContext{Sysctls: make([]v1.Sysctl, 1)} }, false},
		{"resources of the pod", func(s *v1.PodSpec) { s.Resources = &v1.ResourceRequirements{} }, false},
		{"overhead", func(s *v1.PodSpec) { s.Overhead = v1.ResourceList{"memory": resource.MustParse("1Mi")} }, false},
	} {
		p := &v1.Pod{Spec: v1.PodSpec{Containers: []v1.Container{{Name: "c"}}}}
		c.with(&p.Spec)
		if got := SandboxSpec(p, "n", "net").Alone; got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
