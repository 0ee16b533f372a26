package validate_test

import (
	"testing"

	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/schemas/validate"
)

func TestPodAnnotations(t *testing.T) {
	const (
		seccomp = "seccomp.security.alpha.kubernetes.io/pod"
		ofApp   = "container.seccomp.security.alpha.kubernetes.io/app"
		armor   = "container.apparmor.security.beta.kubernetes.io/"
		mirror  = "kubernetes.io/config.mirror"
	)
	at := func(key string) string { return "metadata.annotations[" + key + "]" }
	for _, c := range []struct {
		key, value string
		want       []fault
	}{
		{"a", "b", nil},
		{seccomp, "runtime/default", nil},
		{ofApp, "localhost/a/b", nil},
		{seccomp, "x", one(invalid, "metadata.annotations."+seccomp, "must be a valid seccomp profile")},
		{ofApp, "localhost/../b", one(invalid, "metadata.annotations."+ofApp, "'..'")},
		{mirror, "x", one(invalid, at(mirror), "must set spec.nodeName")},
		{armor + "none", "x", []fault{{invalid, at(armor + "none"), "container not found"}, {invalid, at(armor + "none"), `invalid AppArmor profile name: "x"`}}},
	} {
		p := goodPod()
		p.Annotations = map[string]string{c.key: c.value}
		expect(t, validate.Pod(p), c.want...)
	}
	p := goodPod()
	p.Annotations = map[string]string{armor + app(p).Name: "localhost/x"}
	expect(t, validate.Pod(p))
	with := func(value string) func(*v1.Pod) {
		return func(p *v1.Pod) { p.Annotations = map[string]string{armor + app(p).Name: value} }
	}
	key := at(armor + app(p).Name)
	runUpdates(t, []updateCase{
		{"armor kept", with("localhost/x"), with("localhost/x"), nil},
		{"armor changed", with("localhost/x"), with("localhost/y"), one(forbidden, key, "may not remove or update AppArmor annotations")},
		{"armor gone", with("localhost/x"), nothing, one(forbidden, key, "may not remove or update AppArmor annotations")},
		{"armor new", nothing, with("localhost/x"), one(forbidden, key, "may not add AppArmor annotations")},
	})
}
