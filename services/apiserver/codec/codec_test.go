package codec

import (
	"strings"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/kinds"
	"github.com/skerry/skerry/schemas/share"
)

func TestBound(t *testing.T) {
	nested := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for body, want := range map[string]bool{
		nested(MaxDepth): true, nested(MaxDepth + 1): false,
		`{"a":"` + strings.Repeat("[", 2*MaxDepth) + `"}`:    true, // in a string
		`{"a":"\"` + strings.Repeat("[", 2*MaxDepth) + `"}`:  true,
		`{"a":"\\",` + strings.Repeat("[", 2*MaxDepth) + `}`: false,
		strings.Repeat(" ", MaxSize+1):                       false,
	} {
		if err := Bound([]byte(body)); (err == nil) != want {
			t.Errorf("%.40s…: %v", body, err)
		}
	}
}

func TestStoredValue(t *testing.T) {
	k := kinds.Table().ByResource(schemas.Pods)
	p := &v1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p", UID: "u", Generation: 3, ResourceVersion: "9"}, Status: v1.PodStatus{Phase: v1.PodRunning}}
	by := Writer{User: "admin", Time: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)}
	value, err := EncodeDesired(k, p, by)
	if err != nil {
		t.Fatal(err)
	}
	if s := string(value); strings.Contains(s, "resourceVersion") || strings.Contains(s, "Running") {
		t.Errorf("stored %s", s)
	}
	s, err := ReadStored(value)
	if err != nil || s.WrittenBy != by || s.Metadata.UID != "u" || s.Metadata.Generation != 3 {
		t.Errorf("read %+v, %v", s, err)
	}
	plain, err := Plain(value)
	if err != nil {
		t.Fatal(err)
	}
	obj, warnings, err := Decode(k, plain, "Strict")
	if err != nil || len(warnings) != 0 || obj.GetName() != "p" {
		t.Errorf("decoded %v %v %v", obj, warnings, err)
	}
}

// TestDecodeAlike: a pod among many is what it is by itself, and what becomes of it is not
// seen in the next.
func TestDecodeAlike(t *testing.T) {
	k, pool := kinds.Table().ByResource(schemas.Pods), share.New()
	for _, body := range []string{
		`{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a","labels":{"x":"y"}},"spec":{"containers":[{"name":"c"}]}}`,
		`{"kind":"Pod","apiVersion":"v1","metadata":{"name":"b","labels":{"x":"y"}},"spec":{"containers":[{"name":"c"}]},"more":1}`,
		`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"c"}}`,
		`{"kind":"Pod","apiVersion":"v1","metadata":{"name":7}}`,
		`{"kind":"Node","apiVersion":"v1"}`,
		`{"kind":"Pod","apiVersion":"v1",` + strings.Repeat(" ", MaxSize) + `"spec":{}}`,
	} {
		want, _, wantErr := Decode(k, []byte(body), metav1.FieldValidationIgnore)
		got, err := DecodeAlike(k, []byte(body), pool)
		if (err != nil) != (wantErr != nil) || !equality.Semantic.DeepEqual(got, want) {
			t.Errorf("%.80s: got %v, %v, want %v, %v", body, got, err, want, wantErr)
		}
		if p, ok := got.(*v1.Pod); ok && len(p.Spec.Containers) > 0 {
			p.Spec.Containers[0].Name, p.Labels["x"] = "changed", "changed"
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(`{"kind":"Pod","apiVersion":"v1","metadata":{"name":"p"},"spec":{"containers":[{"name":"c"}]}}`)
	f.Add(`null`)
	f.Add(`{"spec":{"containers":null,"volumes":[null]},"status":[]}`)
	k := kinds.Table().ByResource(schemas.Pods)
	f.Fuzz(func(t *testing.T, body string) {
		obj, _, err := Decode(k, []byte(body), "Strict")
		if err != nil {
			if _, ok := err.(apierrors.APIStatus); !ok {
				t.Errorf("not a Status: %v", err)
			}
			return
		}
		k.Default(obj)
		k.Validate(obj)
	})
}
