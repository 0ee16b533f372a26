package validate_test

import (
	"testing"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

func TestEnv(t *testing.T) {
	from := func(s v1.EnvVarSource) func(*v1.Pod) {
		return func(p *v1.Pod) { app(p).Env = []v1.EnvVar{{Name: "A", ValueFrom: &s}} }
	}
	at := func(part string) string { return appAt(".env[0].valueFrom" + part) }
	pod := func(path string) v1.EnvVarSource {
		return v1.EnvVarSource{FieldRef: &v1.ObjectFieldSelector{APIVersion: "v1", FieldPath: path}}
	}
	amount := func(name, divisor string) v1.EnvVarSource {
		return v1.EnvVarSource{ResourceFieldRef: &v1.ResourceFieldSelector{Resource: name, Divisor: resource.MustParse(divisor)}}
	}
	ref := v1.LocalObjectReference{Name: "c"}
	runPods(t, []podCase{
		{"no name", func(p *v1.Pod) { app(p).Env = []v1.EnvVar{{}} }, one(required, appAt(".env[0].name"), "")},
		{"bad name", func(p *v1.Pod) { app(p).Env = []v1.EnvVar{{Name: "a=b"}} }, one(invalid, appAt(".env[0].name"), "'='")},
		{"relaxed name", func(p *v1.Pod) { app(p).Env = []v1.EnvVar{{Name: "1 a-b"}} }, nil},
		{"no source", from(v1.EnvVarSource{}), one(invalid, at(""), "must specify one of")},
		{"value too", func(p *v1.Pod) {
			app(p).Env = []v1.EnvVar{{Name: "A", Value: "x", ValueFrom: new(pod("metadata.name"))}}
		}, one(invalid, at(""), "when `value` is not empty")},
		{"two sources", from(v1.EnvVarSource{
			ConfigMapKeyRef: &v1.ConfigMapKeySelector{LocalObjectReference: ref, Key: "k"},
			SecretKeyRef:    &v1.SecretKeySelector{LocalObjectReference: ref, Key: "k"},
		}), one(invalid, at(""), "more than one field")},
		{"configMapKeyRef", from(v1.EnvVarSource{ConfigMapKeyRef: &v1.ConfigMapKeySelector{}}),
			[]fault{{invalid, at(".configMapKeyRef.name"), "RFC 1123"}, {required, at(".configMapKeyRef.key"), ""}}},
		{"secretKeyRef", from(v1.EnvVarSource{SecretKeyRef: &v1.SecretKeySelector{LocalObjectReference: ref, Key: "a/b"}}),
			one(invalid, at(".secretKeyRef.key"), "alphanumeric")},
		{"fieldRef", from(pod("metadata.name")), nil},
		{"fieldRef label", from(pod("metadata.labels['example.com/app']")), nil},
		{"fieldRef bad label", from(pod("metadata.labels['a b']")), one(invalid, at(".fieldRef.fieldPath"), "name part")},
		{"fieldRef subscript", from(pod("metadata.name['x']")), one(invalid, at(".fieldRef.fieldPath"), "does not support subscript")},
		{"fieldRef unknown", from(pod("spec.containers")), one(invalid, at(".fieldRef.fieldPath"), "field label not supported")},
		{"fieldRef not for env", from(pod("metadata.labels")), one(unsupported, at(".fieldRef.fieldPath"), "metadata.name")},
		{"fieldRef empty", from(v1.EnvVarSource{FieldRef: &v1.ObjectFieldSelector{}}),
			[]fault{{required, at(".fieldRef.apiVersion"), ""}, {required, at(".fieldRef.fieldPath"), ""}}},
		{"fieldRef version", from(v1.EnvVarSource{FieldRef: &v1.ObjectFieldSelector{APIVersion: "v2", FieldPath: "metadata.name"}}),
			one(unsupported, at(".fieldRef.apiVersion"), "v1")},
		{"resourceFieldRef", from(amount("limits.cpu", "1m")), nil},
		{"resourceFieldRef none", from(amount("", "0")), one(required, at(".resourceFieldRef.resource"), "")},
		{"resourceFieldRef unknown", from(amount("limits.gpu", "0")), one(unsupported, at(".resourceFieldRef.resource"), "limits.cpu")},
		{"resourceFieldRef divisor", from(amount("limits.memory", "1m")), one(invalid, at(".resourceFieldRef.divisor"), "1Ki")},
		{"resourceFieldRef cpu divisor", from(amount("requests.cpu", "1k")), one(invalid, at(".resourceFieldRef.divisor"), "1m, 1")},
		{"fileKeyRef", from(v1.EnvVarSource{FileKeyRef: &v1.FileKeySelector{VolumeName: "data", Path: "env", Key: "K"}}), nil},
		{"fileKeyRef faults", from(v1.EnvVarSource{FileKeyRef: &v1.FileKeySelector{VolumeName: "conf", Path: "/env"}}), []fault{
			{invalid, at(".fileKeyRef.path"), "relative path"}, {required, at(".fileKeyRef.key"), ""}, {invalid, at(".fileKeyRef.volumeName"), "emptyDir"},
		}},
		{"fileKeyRef lost", from(v1.EnvVarSource{FileKeyRef: &v1.FileKeySelector{VolumeName: "gone", Path: "env", Key: "K"}}),
			one(notFound, at(".fileKeyRef.volumeName"), "gone")},
	})
}

func TestEnvFrom(t *testing.T) {
	at := func(part string) string { return appAt(".envFrom[0]" + part) }
	cm := &v1.ConfigMapEnvSource{LocalObjectReference: v1.LocalObjectReference{Name: "c"}}
	secret := &v1.SecretEnvSource{LocalObjectReference: v1.LocalObjectReference{Name: "S"}}
	set := func(s v1.EnvFromSource) func(*v1.Pod) {
		return func(p *v1.Pod) { app(p).EnvFrom = []v1.EnvFromSource{s} }
	}
	runPods(t, []podCase{
		{"good", set(v1.EnvFromSource{ConfigMapRef: cm, Prefix: "A_"}), nil},
		{"none", set(v1.EnvFromSource{}), one(invalid, appAt(".envFrom"), "must specify one of")},
		{"both", set(v1.EnvFromSource{ConfigMapRef: cm, SecretRef: secret}),
			[]fault{{invalid, at(".secretRef.name"), "RFC 1123"}, {invalid, appAt(".envFrom"), "more than one"}}},
		{"no name", set(v1.EnvFromSource{ConfigMapRef: &v1.ConfigMapEnvSource{}}), one(required, at(".configMapRef.name"), "")},
		{"prefix", set(v1.EnvFromSource{ConfigMapRef: cm, Prefix: "a="}), one(invalid, at(".prefix"), "'='")},
	})
}
