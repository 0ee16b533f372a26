package defaults_test

import (
	"testing"

	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/schemas/defaults"
)

func TestAppArmor(t *testing.T) {
	named := func(a *v1.AppArmorProfile) string {
		switch {
		case a == nil:
			return ""
		case a.LocalhostProfile != nil:
			return string(a.Type) + "/" + *a.LocalhostProfile
		}
		return string(a.Type)
	}
	own := &v1.AppArmorProfile{Type: v1.AppArmorProfileTypeUnconfined}
	for annotation, want := range map[string]string{"": "", "unconfined": "Unconfined", "runtime/default": "RuntimeDefault", "localhost/x": "Localhost/x", "localhost/ ": "", "x": ""} {
		p := &v1.Pod{}
		p.Annotations = map[string]string{"container.apparmor.security.beta.kubernetes.io/c": annotation, "container.apparmor.security.beta.kubernetes.io/own": annotation}
		p.Spec.SecurityContext = &v1.PodSecurityContext{}
		p.Spec.Containers = []v1.Container{{Name: "c"}, {Name: "own", SecurityContext: &v1.SecurityContext{AppArmorProfile: own}}, {Name: "other"}}
		same := p.DeepCopy()
		same.Spec.SecurityContext.AppArmorProfile = defaults.AppArmorOf(annotation)
		defaults.AppArmor(p)
		defaults.AppArmor(same)
		got := ""
		if s := p.Spec.Containers[0].SecurityContext; s != nil {
			got = named(s.AppArmorProfile)
		}
		if got != want || named(p.Spec.Containers[1].SecurityContext.AppArmorProfile) != "Unconfined" || p.Spec.Containers[2].SecurityContext != nil {
			t.Errorf("%q: %q, %+v", annotation, got, p.Spec.Containers)
		}
		if same.Spec.Containers[0].SecurityContext != nil {
			t.Errorf("%q: what the pod says is said again", annotation)
		}
	}
}
