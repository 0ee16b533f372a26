package body

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/skerry/skerry/schemas/kinds"
)

func TestFromYAML(t *testing.T) {
	for in, want := range map[string]string{
		"kind: Pod\nmetadata:\n  name: a\n": `{"kind":"Pod","metadata":{"name":"a"}}`,
		`{"kind":"Pod"}`:                    `{"kind":"Pod"}`,
		"a: &x {b: c}\nd: *x\n":             `{"a":{"b":"c"},"d":{"b":"c"}}`,
		"a: 'x*y'\n":                        `{"a":"x*y"}`,
	} {
		out, err := FromYAML([]byte(in), false)
		if err != nil || string(out) != want {
			t.Errorf("%q: %s, %v", in, out, err)
		}
	}
	for _, bad := range []string{"a: [", "\t", "{", bomb(9)} {
		if _, err := FromYAML([]byte(bad), false); err == nil {
			t.Errorf("%.30q is YAML", bad)
		}
	}
	if _, err := FromYAML([]byte("a: 1\na: 2\n"), true); !apierrors.IsBadRequest(err) {
		t.Errorf("a key twice: %v", err)
	}
}

// TestBombs: what is built to be hard to read is refused, and soon.
func TestBombs(t *testing.T) {
	begun := time.Now()
	for name, doc := range map[string]string{
		"deep":      strings.Repeat("[", Max),
		"deep maps": strings.Repeat("{a: ", Max/4),
		"indented":  strings.Repeat("- ", Max/2),
		"aliases":   bomb(9),
		"wide":      "a: &a [" + strings.Repeat("x,", 1000) + "]\nb: [" + strings.Repeat("*a,", 500) + "]\n",
	} {
		if out, err := FromYAML([]byte(doc), false); err == nil {
			t.Errorf("%s: %d bytes came of it", name, len(out))
		}
	}
	if took := time.Since(begun); took > 20*time.Second {
		t.Errorf("it took %s", took)
	}
}

// bomb is a document of n lines, each nine times the one before.
func bomb(n int) string {
	var b strings.Builder
	b.WriteString("a0: &a0 [x]\n")
	for i := 1; i <= n; i++ {
		fmt.Fprintf(&b, "a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i-1), 20), ","))
	}
	return b.String()
}

// protobuf is what client-go would send.
func protobuf(t testing.TB, apiVersion, kind string, obj interface{ Marshal() ([]byte, error) }) []byte {
	t.Helper()
	raw, err := obj.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	u := runtime.Unknown{TypeMeta: runtime.TypeMeta{APIVersion: apiVersion, Kind: kind}, Raw: raw}
	data, err := u.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return append(bytes.Clone(magic), data...)
}

func TestFromProtobuf(t *testing.T) {
	two := int32(2)
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "web"}, Spec: appsv1.DeploymentSpec{Replicas: &two}}
	out, err := FromProtobuf(protobuf(t, "apps/v1", "Deployment", d), kinds.Table())
	if err != nil {
		t.Fatal(err)
	}
	var got appsv1.Deployment
	if err := json.Unmarshal(out, &got); err != nil || got.Name != "web" || *got.Spec.Replicas != 2 || got.Kind != "Deployment" || got.APIVersion != "apps/v1" {
		t.Errorf("%s, %v", out, err)
	}
	e := &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: "p"}}
	if out, err = FromProtobuf(protobuf(t, "policy/v1", "Eviction", e), kinds.Table()); err != nil || !strings.Contains(string(out), `"name":"p"`) {
		t.Errorf("%s, %v", out, err)
	}
	o := &metav1.DeleteOptions{DryRun: []string{"All"}}
	if out, err = FromProtobuf(protobuf(t, "apps/v1", "DeleteOptions", o), kinds.Table()); err != nil || !strings.Contains(string(out), `"dryRun":["All"]`) {
		t.Errorf("%s, %v", out, err)
	}
	for _, bad := range [][]byte{nil, magic, []byte("{}"), append(bytes.Clone(magic), 0xff, 0xff), protobuf(t, "v1", "Nothing", &corev1.Pod{})} {
		if _, err := FromProtobuf(bad, kinds.Table()); !apierrors.IsBadRequest(err) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func FuzzFromYAML(f *testing.F) {
	f.Add("kind: Pod\nmetadata: {name: a}\n")
	f.Add("a: &x [1]\nb: [*x, *x]\n")
	f.Add(bomb(3))
	f.Fuzz(func(t *testing.T, in string) {
		out, err := FromYAML([]byte(in), true)
		if err == nil && !json.Valid(out) {
			t.Errorf("%q became %q", in, out)
		}
		var known apierrors.APIStatus
		if err != nil {
			known, _ = err.(apierrors.APIStatus)
			if known == nil {
				t.Errorf("not a Status: %v", err)
			}
		}
	})
}

func FuzzFromProtobuf(f *testing.F) {
	f.Add(protobuf(f, "v1", "Pod", &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p"}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c"}}}}))
	f.Add(protobuf(f, "v1", "DeleteOptions", &metav1.DeleteOptions{}))
	f.Fuzz(func(t *testing.T, in []byte) {
		if out, err := FromProtobuf(in, kinds.Table()); err == nil && !json.Valid(out) {
			t.Errorf("%q became %q", in, out)
		}
	})
}
