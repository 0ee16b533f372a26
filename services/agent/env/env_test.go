package env

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/schemas"
)

func TestExpand(t *testing.T) {
	vars := map[string]string{"A": "1", "B": "two words", "EMPTY": "", "REF": "$(A)"}
	for in, want := range map[string]string{
		"":             "",
		"plain":        "plain",
		"$(A)":         "1",
		"x$(A)y$(B)z":  "x1ytwo wordsz",
		"$(EMPTY)|":    "|",
		"$(UNKNOWN)":   "$(UNKNOWN)",
		"$$(A)":        "$(A)",
		"$$$(A)":       "$1",
		"$$$$(A)":      "$$(A)",
		"$A ${A} $":    "$A ${A} $",
		"$(A":          "$(A",
		"$()":          "$()",
		"$(REF)":       "$(A)", // one pass
		"100%$(A)$(B)": "100%1two words",
	} {
		if got := Expand(in, vars); got != want {
			t.Errorf("Expand(%q) = %q, want %q", in, got, want)
		}
	}
}

type fixed struct{ err error }

func (f fixed) ConfigMap(_ context.Context, _ schemas.Namespace, name schemas.Name) (*v1.ConfigMap, error) {
	if name == "cm" {
		return &v1.ConfigMap{Data: map[string]string{"a": "1", "b.c": "dotted", "": "x", "x=y": "x"}, BinaryData: map[string][]byte{"bin": {'z'}}}, f.err
	}
	return nil, f.err
}

func (f fixed) Secret(_ context.Context, _ schemas.Namespace, name schemas.Name) (*v1.Secret, error) {
	if name == "s" {
		return &v1.Secret{Data: map[string][]byte{"k": []byte("v")}}, f.err
	}
	return nil, f.err
}

func ref(path string) *v1.EnvVarSource {
	return &v1.EnvVarSource{FieldRef: &v1.ObjectFieldSelector{FieldPath: path}}
}

func res(name, divisor string) *v1.EnvVarSource {
	return &v1.EnvVarSource{ResourceFieldRef: &v1.ResourceFieldSelector{Resource: name, Divisor: resource.MustParse(divisor)}}
}

func cmKey(name, key string, optional bool) *v1.EnvVarSource {
	return &v1.EnvVarSource{ConfigMapKeyRef: &v1.ConfigMapKeySelector{LocalObjectReference: v1.LocalObjectReference{Name: name}, Key: key, Optional: &optional}}
}

func secretKey(name, key string, optional bool) *v1.EnvVarSource {
	return &v1.EnvVarSource{SecretKeyRef: &v1.SecretKeySelector{LocalObjectReference: v1.LocalObjectReference{Name: name}, Key: key, Optional: &optional}}
}

func fromConfigMap(name, prefix string, optional bool) v1.EnvFromSource {
	return v1.EnvFromSource{Prefix: prefix, ConfigMapRef: &v1.ConfigMapEnvSource{LocalObjectReference: v1.LocalObjectReference{Name: name}, Optional: &optional}}
}

func fromSecret(name, prefix string, optional bool) v1.EnvFromSource {
	return v1.EnvFromSource{Prefix: prefix, SecretRef: &v1.SecretEnvSource{LocalObjectReference: v1.LocalObjectReference{Name: name}, Optional: &optional}}
}

func TestMake(t *testing.T) {
	pod := &v1.Pod{ObjectMeta: metav1.ObjectMeta{
		Name: "web", Namespace: "ns", UID: "u", Labels: map[string]string{"app": "x", "b": "y"}, Annotations: map[string]string{"n/k": "note"},
	}, Spec: v1.PodSpec{ServiceAccountName: "sa"}}
	node := Node{Name: "n1", HostIPs: []string{"1.1.1.1", "::1"}, PodIPs: []string{"2.2.2.2"}, Allocatable: v1.ResourceList{
		v1.ResourceCPU: resource.MustParse("4"), v1.ResourceMemory: resource.MustParse("8Gi"),
	}}
	for _, tc := range []struct {
		name    string
		env     []v1.EnvVar
		from    []v1.EnvFromSource
		want    map[string]string
		skipped int
		err     string
	}{
		{name: "plain, in order", env: []v1.EnvVar{{Name: "A", Value: "1"}, {Name: "B", Value: "$(A)$(LATER)"}, {Name: "LATER", Value: "x"}},
			want: map[string]string{"A": "1", "B": "1$(LATER)", "LATER": "x"}},
		{name: "fields", env: []v1.EnvVar{
			{Name: "N", ValueFrom: ref("metadata.name")}, {Name: "NS", ValueFrom: ref("metadata.namespace")}, {Name: "U", ValueFrom: ref("metadata.uid")},
			{Name: "L", ValueFrom: ref("metadata.labels['app']")}, {Name: "NONE", ValueFrom: ref("metadata.labels['none']")},
			{Name: "AN", ValueFrom: ref("metadata.annotations['n/k']")}, {Name: "ALL", ValueFrom: ref("metadata.labels")},
			{Name: "NODE", ValueFrom: ref("spec.nodeName")}, {Name: "SA", ValueFrom: ref("spec.serviceAccountName")},
			{Name: "H", ValueFrom: ref("status.hostIP")}, {Name: "HS", ValueFrom: ref("status.hostIPs")}, {Name: "P", ValueFrom: ref("status.podIP")},
		}, want: map[string]string{"N": "web", "NS": "ns", "U": "u", "L": "x", "NONE": "", "AN": "note", "ALL": "app=\"x\"\nb=\"y\"",
			"NODE": "n1", "SA": "sa", "H": "1.1.1.1", "HS": "1.1.1.1,::1", "P": "2.2.2.2"}},
		{name: "no such field", env: []v1.EnvVar{{Name: "A", ValueFrom: ref("status.phase")}}, err: "unsupported fieldPath: status.phase"},
		{name: "resources", env: []v1.EnvVar{
			{Name: "C", ValueFrom: res("limits.cpu", "1")}, {Name: "CM", ValueFrom: res("limits.cpu", "1m")}, {Name: "M", ValueFrom: res("limits.memory", "1Mi")},
			{Name: "RC", ValueFrom: res("requests.cpu", "1m")}, {Name: "E", ValueFrom: res("limits.ephemeral-storage", "1")},
		}, want: map[string]string{"C": "1", "CM": "500", "M": "8192", "RC": "250", "E": "0"}},
		{name: "keys", env: []v1.EnvVar{
			{Name: "A", ValueFrom: cmKey("cm", "a", false)}, {Name: "BIN", ValueFrom: cmKey("cm", "bin", false)}, {Name: "S", ValueFrom: secretKey("s", "k", false)},
			{Name: "O1", ValueFrom: cmKey("none", "a", true)}, {Name: "O2", ValueFrom: secretKey("s", "none", true)},
		}, want: map[string]string{"A": "1", "BIN": "z", "S": "v"}},
		{name: "no such configmap", env: []v1.EnvVar{{Name: "A", ValueFrom: cmKey("none", "a", false)}}, err: `configmap "none" not found`},
		{name: "no such key", env: []v1.EnvVar{{Name: "A", ValueFrom: secretKey("s", "none", false)}}, err: "couldn't find key none in Secret ns/s"},
		{name: "from all, prefixed, overridden", from: []v1.EnvFromSource{fromConfigMap("cm", "P_", false), fromSecret("s", "", false), fromConfigMap("none", "", true)},
			env: []v1.EnvVar{{Name: "k", Value: "$(P_a)"}}, want: map[string]string{"P_a": "1", "P_b.c": "dotted", "P_bin": "z", "P_": "x", "k": "1"}, skipped: 1},
		{name: "from none", from: []v1.EnvFromSource{fromSecret("none", "", false)}, err: `secret "none" not found`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := &v1.Container{Name: "c", Env: tc.env, EnvFrom: tc.from}
			c.Resources.Limits = v1.ResourceList{v1.ResourceCPU: resource.MustParse("500m")}
			c.Resources.Requests = v1.ResourceList{v1.ResourceCPU: resource.MustParse("250m")}
			got, err := Make(t.Context(), pod, c, node, fixed{})
			if tc.err != "" {
				if err == nil || err.Error() != tc.err {
					t.Errorf("error %v, want %s", err, tc.err)
				}
				return
			}
			if err != nil || !maps.Equal(got.Env, tc.want) || len(got.Skipped) != tc.skipped {
				t.Errorf("%v, skipped %v, %v\nwant %v", got.Env, got.Skipped, err, tc.want)
			}
		})
	}
	_, err := Make(t.Context(), pod, &v1.Container{EnvFrom: []v1.EnvFromSource{fromConfigMap("cm", "", true)}}, node, fixed{errors.New("nobody answers")})
	if err == nil || !strings.Contains(err.Error(), "nobody answers") {
		t.Errorf("a source that cannot tell: %v", err)
	}
}
