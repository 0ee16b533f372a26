package member

import (
	"testing"

	v1 "k8s.io/api/core/v1"
)

func TestPathOf(t *testing.T) {
	always := v1.ContainerRestartPolicyAlways
	p := &v1.Pod{Spec: v1.PodSpec{
		InitContainers:      []v1.Container{{Name: "init"}, {Name: "side", RestartPolicy: &always}},
		Containers:          []v1.Container{{Name: "main"}},
		EphemeralContainers: []v1.EphemeralContainer{{EphemeralContainerCommon: v1.EphemeralContainerCommon{Name: "look"}}},
	}}
	for name, want := range map[string]string{
		"init": "spec.initContainers{init}", "side": "spec.initContainers{side}", "main": "spec.containers{main}",
		"look": "spec.ephemeralContainers{look}", "none": "",
	} {
		if got := PathOf(p, name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
