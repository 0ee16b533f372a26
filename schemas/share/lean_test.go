package share

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// sameLean fails unless a lean pod decoded from data is want, whether or not its frame is known.
func sameLean(t *testing.T, p *Pool, data []byte, want *v1.Pod) {
	t.Helper()
	for range 2 {
		l, err := p.Lean(data, "")
		if err != nil {
			t.Fatalf("%s: %v", data, err)
		}
		got := l.Pod()
		if got.Kind != "Pod" || got.APIVersion != "v1" {
			t.Errorf("%s: kind %v", data, got.TypeMeta)
		}
		got.TypeMeta = metav1.TypeMeta{}
		if !reflect.DeepEqual(got, want) || l.Name() != want.Name || l.UID() != want.UID || l.Namespace() != want.Namespace {
			t.Fatalf("%s, lean:\ngot  %+v\nwant %+v", data, got, want)
		}
	}
}

// order is the n-th pod of a set, placed: what its agent reads.
func order(n int) *v1.Pod {
	pod := sample(n)
	pod.Spec.NodeName, pod.Status = fmt.Sprint("n", n), v1.PodStatus{}
	return pod
}

func TestLeanPodsShareAFrame(t *testing.T) {
	p := New()
	a, err := p.Lean(encode(t, order(0)), "")
	if err != nil {
		t.Fatal(err)
	}
	b, err := p.Lean(encode(t, order(1)), "")
	if err != nil || a.frame != b.frame {
		t.Errorf("two of one template and second share nothing: %v", err)
	}
	if a.Pod() == a.Pod() || a.Pod().Name != "web-0" || b.Pod().Name != "web-1" || a.Pod().Spec.NodeName != "n0" || b.Pod().UID != "uid-1" {
		t.Error("what is their own is the same")
	}
	for what, change := range map[string]func(*v1.Pod){
		"label":      func(p *v1.Pod) { p.Labels["app"] = "other" },
		"generation": func(p *v1.Pod) { p.Generation = 2 },
		"deletion":   func(p *v1.Pod) { p.DeletionTimestamp = &p.CreationTimestamp },
		"spec":       func(p *v1.Pod) { p.Spec.Hostname = "h" },
		"status":     func(p *v1.Pod) { p.Status.Phase = v1.PodFailed },
		"namespace":  func(p *v1.Pod) { p.Namespace = "other" },
	} {
		pod := order(2)
		change(pod)
		if c, err := p.Lean(encode(t, pod), ""); err != nil || c.frame == a.frame {
			t.Errorf("of another %s: the same frame, %v", what, err)
		}
	}
}

// TestOddLeanPods: names that are written in an odd way, or twice, are read as ever.
func TestOddLeanPods(t *testing.T) {
	p := New()
	for _, text := range []string{
		`{"metadata":{"name":"\u0061","uid":"u"},"spec":{"nodeName":"n"}}`,
		`{"metadata":{"name":"a","uid":"u"},"spec":{"nodeName":"\u006e"}}`,
		`{"metadata":{"name":"a","uid":"u"},"spec":{"nodeName":"n","nodeName":"m"}}`,
		`{"metadata":{"name":"a","name":"b","uid":"u"}}`, `{"metadata":{"name":"","uid":"u"}}`, `{"metadata":{"name":null,"uid":"u"}}`,
		`{"metadata":{"name":"a","uid":"u","uid":"v"}}`, `{"metadata":{"name":"a","uid":"u"},"metadata":{"namespace":"n"}}`,
		`{"metadata":{"uid":"u","name":"a","labels":{"name":"x","uid":"y"}},"spec":{"containers":[{"name":"c"}]},"status":{}}`,
		` { "metadata" : { "name" : "a" , "uid" : "u" } , "spec" : { "nodeName" : "n" } } `,
	} {
		want, err := ordinary([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		sameLean(t, p, []byte(text), want)
	}
	for _, text := range []string{`{"metadata":{"name":"a","uid":"u"},"spec":7}`, `{"metadata":{"name":"a","uid":"u"},"spec":{}}x`, `{"metadata":{"name":"a","uid":"u"`} {
		if l, err := p.Lean([]byte(text), ""); err == nil {
			t.Errorf("%s: %+v", text, l.Pod())
		}
	}
}

// FuzzLean: a lean pod is the pod.
func FuzzLean(f *testing.F) {
	for _, text := range odd {
		f.Add([]byte(text))
	}
	f.Add(encode(f, order(1)))
	p := New()
	f.Fuzz(func(t *testing.T, data []byte) {
		pod, err := p.Pod(data)
		if !json.Valid(data) {
			return // a pool looks less closely at what it skips
		}
		l, leanErr := p.Lean(data, "")
		if (err != nil) != (leanErr != nil) {
			t.Fatalf("%q: %v, %v", data, err, leanErr)
		}
		if err != nil {
			return
		}
		got := l.Pod()
		got.TypeMeta, pod.TypeMeta = metav1.TypeMeta{}, metav1.TypeMeta{}
		if !reflect.DeepEqual(got, pod) {
			t.Fatalf("%q:\ngot  %+v\nwant %+v", data, got, pod)
		}
	})
}

func TestSlim(t *testing.T) {
	pod := order(1)
	l := Slim(pod)
	if !reflect.DeepEqual(l.Pod(), pod) || l.UID() != types.UID("uid-1") || l.Name() != "web-1" {
		t.Errorf("got %+v", l.Pod())
	}
}

func BenchmarkLean(b *testing.B) {
	data := encode(b, order(1))
	p := New()
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			_, _ = p.Lean(data, "")
		}
	})
	l, _ := p.Lean(data, "")
	b.Run("pod", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			sink = l.Pod()
		}
	})
}

var sink *v1.Pod
