package validate

import (
	"fmt"
	"testing"

	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/schemas/defaults"
)

func plainPod(name string) *v1.Pod {
	p := &v1.Pod{}
	p.Name, p.Namespace = name, "ns"
	p.Spec.Containers = []v1.Container{{Name: "c", Image: "i"}}
	defaults.Pod(p)
	return p
}

// TestFaultlessSpecIsRemembered: what is known of one spec is not taken for another's, and
// what depends on the pod's name is looked at for each.
func TestFaultlessSpecIsRemembered(t *testing.T) {
	for i := range 3 {
		if errs := Pod(plainPod(fmt.Sprint("p", i))); len(errs) > 0 {
			t.Fatal(errs)
		}
	}
	digest, ok := faultless.sum(&plainPod("p").Spec)
	if !ok || !faultless.has(digest) {
		t.Error("a faultless spec is not remembered")
	}
	for range 2 {
		bad := plainPod("p")
		bad.Spec.Containers[0].Name = "C!"
		if errs := Pod(bad); len(errs) == 0 {
			t.Error("a faulty spec passes")
		}
	}
	claim := func(name string) *v1.Pod {
		p := plainPod(name)
		p.Spec.Volumes = []v1.Volume{{Name: "v", VolumeSource: v1.VolumeSource{Ephemeral: &v1.EphemeralVolumeSource{}}}}
		return p
	}
	if _, ok := faultless.sum(&claim("p").Spec); ok {
		t.Error("a spec whose faults depend on the pod's name would be remembered")
	}
}

func TestFaultlessIsBounded(t *testing.T) {
	var m specs
	for i := range 10 * rememberedSpecs {
		digest, ok := m.sum(&v1.PodSpec{Hostname: fmt.Sprint(i)})
		if !ok {
			t.Fatal("a spec has no text")
		}
		m.add(digest)
		if !m.has(digest) {
			t.Fatalf("number %d is forgotten at once", i)
		}
	}
	if n := len(m.now) + len(m.before); n > 2*rememberedSpecs {
		t.Errorf("%d are remembered", n)
	}
}
