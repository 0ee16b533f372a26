package share

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	kjson "sigs.k8s.io/json"
)

// sample is the n-th pod of a set, as it is stored after it was reported.
func sample(n int) *v1.Pod {
	controller, started := true, n%2 == 0
	at := metav1.NewTime(time.Unix(1700000000, 0).UTC())
	return &v1.Pod{
		TypeMeta: metav1.TypeMeta{Kind: "Pod", APIVersion: "v1"},
		ObjectMeta: metav1.ObjectMeta{
			Name: fmt.Sprintf("web-%d", n), Namespace: "ns", UID: types.UID(fmt.Sprintf("uid-%d", n)), GenerateName: "web-", CreationTimestamp: at,
			Labels: map[string]string{"app": "web", "quote": `a "b" {c} \d`}, Annotations: map[string]string{"a": "b"},
			OwnerReferences: []metav1.OwnerReference{{Kind: "ReplicaSet", Name: "web", UID: "o", Controller: &controller}},
			ManagedFields:   []metav1.ManagedFieldsEntry{{Manager: "m", Time: &at, FieldsV1: &metav1.FieldsV1{Raw: []byte(`{"f:spec":{}}`)}}},
		},
		Spec: v1.PodSpec{Containers: []v1.Container{{Name: "c", Image: "i", Args: []string{"],}"}}}, NodeSelector: map[string]string{"x": "y"}},
		Status: v1.PodStatus{
			Phase: v1.PodRunning, HostIP: "10.0.0.1", HostIPs: []v1.HostIP{{IP: "10.0.0.1"}}, PodIP: "10.1.0.1", PodIPs: []v1.PodIP{{IP: "10.1.0.1"}}, StartTime: &at,
			Conditions:        []v1.PodCondition{{Type: v1.PodReady, Status: v1.ConditionTrue, LastTransitionTime: at}},
			ContainerStatuses: []v1.ContainerStatus{{Name: "c", Image: "i", ContainerID: fmt.Sprint("podman://", n), Started: &started, State: v1.ContainerState{Running: &v1.ContainerStateRunning{StartedAt: metav1.NewTime(at.Add(time.Duration(n/4) * time.Second))}}}},
		},
	}
}

func encode(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// ordinary is what Pod must be equal to.
func ordinary(data []byte) (*v1.Pod, error) {
	pod := &v1.Pod{}
	err := kjson.UnmarshalCaseSensitivePreserveInts(data, pod)
	pod.TypeMeta = metav1.TypeMeta{}
	return pod, err
}

var odd = []string{
	`{}`, ` { } `, `{"metadata":{}}`, `{"metadata":null,"spec":null,"status":null}`, `{"metadata":{"labels":null}}`,
	"{\n \"metadata\" : { \"name\" : \"a\" , \"labels\" : { } } ,\t\"spec\": {\"containers\": [ ] } }",
	`{"sp\u0065c":{"nodeName":"n"},"metadata":{"n\u0061me":"a"}}`, `{"Spec":{"nodeName":"n"}}`,
	`{"metadata":{"name":"a"},"metadata":{"uid":"b"}}`, `{"status":{"phase":"Running"},"metadata":{"name":"a\"}{"}}`,
	`{"writtenBy":{"user":"u"},"spec":{"containers":null},"status":{}}`, `{"status":{"hostIPs":[],"conditions":[]}}`,
	``, `{`, `[]`, `7`, `{"metadata":7}`, `{"metadata":{"name":7}}`, `{"metadata":{"labels":[]}}`, `{"spec":{"nodeName":}}`, `{"spec":{}`, `{"spec":{}}x`,
	`{"spec":{"nodeName":"n","hostname":"h"}}`, `{"spec":{"hostname":"h", "nodeName" : "n" }}`, `{"spec":{"nodeName":"n"}}`, `{"spec":{"nodeName":""}}`, `{"spec":{"nodeName":null}}`,
	`{"spec":{"nodeName":"n","hostname":"h","nodeName":"m"}}`, `{"spec":{"nodeName":7}}`, "{\"spec\":{\"nodeName\":\"\xff\"}}", "{\"spec\":{\"nodeName\":\"\n\"}}", `{"spec":{"nodeName":"\u006e"}}`, `{"spec":{"nodeName":"n","containers":7}}`, `{"spec":{"nodeName":"a""}}`,
	`{"spec":{"nodeSelector":{"nodeName":"x"},"hostname":"h"}}`, `{"spec":{"nodeName":"n",}}`, `{"spec":{"nodeName":"n"`,
	`{"metadata":{"name":"a"}`, `{"status":{"conditions":{}}}`, `{"a":{]}}`, `{"a"}`, `{"a":1,}`, `{,}`, `{"metadata":{"name":"a",}}`,
}

// same fails unless a pool decodes data as ever.
func same(t *testing.T, p *Pool, data []byte) {
	t.Helper()
	got, err := p.Pod(data)
	want, wantErr := ordinary(data)
	if (err != nil) != (wantErr != nil) {
		t.Fatalf("%s: got error %v, want %v", data, err, wantErr)
	}
	if err == nil {
		got.TypeMeta = metav1.TypeMeta{}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%s:\ngot  %+v\nwant %+v", data, got, want)
		}
		sameLean(t, p, data, want)
	}
}

func TestPodIsDecodedAsEver(t *testing.T) {
	p := New()
	for n := range 3 {
		same(t, p, encode(t, sample(n)))
	}
	for _, text := range odd {
		same(t, p, []byte(text))
		same(t, p, []byte(text))
	}
}

// FuzzPod: whatever can be decoded can be decoded with a pool.
func FuzzPod(f *testing.F) {
	for _, text := range odd {
		f.Add([]byte(text))
	}
	f.Add(encode(f, sample(1)))
	p := New()
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := ordinary(data); err != nil {
			return // a pool looks less closely at what it skips
		}
		if _, err := p.Pod(data); err != nil {
			t.Fatalf("%q: %v", data, err)
		}
	})
}

func TestPodsShareWhatIsAlike(t *testing.T) {
	p := New()
	a, err := p.Pod(encode(t, sample(0)))
	if err != nil {
		t.Fatal(err)
	}
	b, err := p.Pod(encode(t, sample(2)))
	if err != nil {
		t.Fatal(err)
	}
	if a.Name == b.Name || a.Status.ContainerStatuses[0].ContainerID == b.Status.ContainerStatuses[0].ContainerID {
		t.Error("what is their own is the same")
	}
	if &a.Spec.Containers[0] != &b.Spec.Containers[0] || &a.OwnerReferences[0] != &b.OwnerReferences[0] || &a.Status.Conditions[0] != &b.Status.Conditions[0] ||
		reflect.ValueOf(a.Labels).Pointer() != reflect.ValueOf(b.Labels).Pointer() || &a.ManagedFields[0] != &b.ManagedFields[0] ||
		a.Status.StartTime != b.Status.StartTime || a.Status.ContainerStatuses[0].State.Running != b.Status.ContainerStatuses[0].State.Running {
		t.Error("what is alike is in memory twice")
	}
	for n := range 3 { // as the work orders of many nodes are
		pod := sample(0)
		pod.Spec.NodeName = fmt.Sprint("n", n)
		got, err := p.Pod(encode(t, pod))
		if err != nil || got.Spec.NodeName != pod.Spec.NodeName || &got.Spec.Containers[0] != &a.Spec.Containers[0] {
			t.Errorf("on node %d: %+v, %v", n, got.Spec, err)
		}
	}
	c, err := p.Pod(encode(t, sample(4)))
	if err != nil || c.Status.ContainerStatuses[0].State.Running.StartedAt == a.Status.ContainerStatuses[0].State.Running.StartedAt {
		t.Errorf("one that started later: %v, %v", c.Status.ContainerStatuses, err)
	}
}

// TestPoolIsBounded: of very many different pods it remembers the last ones.
func TestPoolIsBounded(t *testing.T) {
	p := New()
	for n := range 5000 {
		pod := sample(n)
		pod.Spec.Hostname = strings.Repeat("x", n%100) + fmt.Sprint(n)
		if _, err := p.Pod(encode(t, pod)); err != nil {
			t.Fatal(err)
		}
	}
	total := 0
	for _, generation := range []map[string]v1.PodSpec{p.specs.now, p.specs.before} {
		for text := range generation {
			total += len(text)
		}
	}
	if total == 0 || total > 2*remembered {
		t.Errorf("%d bytes are remembered", total)
	}
}

func TestOrder(t *testing.T) {
	pod := sample(1)
	pod.Spec.NodeName = "n1"
	o, err := New().Order(encode(t, pod))
	if err != nil || o.UID != pod.UID || o.NodeName != "n1" || o.Status.Phase != v1.PodRunning {
		t.Errorf("got %+v, %v", o, err)
	}
	if _, err := New().Order([]byte(`{"metadata": 7`)); err == nil {
		t.Error("a broken order is read")
	}
}

// TestOrderIsReadAsEver: at a glance it says the same as when all of it is read.
func TestOrderIsReadAsEver(t *testing.T) {
	pod := sample(1)
	pod.Spec.NodeName = "n1"
	bare := *pod
	bare.Status = v1.PodStatus{}
	texts := append([]string{
		string(encode(t, pod)), string(encode(t, &bare)),
		`{"metadata":{"uid":"a","uid":"b"}}`, `{"metadata":{"uid":"a"},"metadata":{"name":"n"}}`, `{"metadata":{"uid":"\u0061"}}`, `{"metadata":{"uid":null}}`,
		`{"metadata":{"UID":"a"}}`, `{"status":{"phase":"Pending"},"status":{"reason":"r"}}`, `{"status":null}`,
	}, odd...)
	for _, text := range texts {
		want, wantErr := wholeOrder([]byte(text))
		got, err := New().Order([]byte(text))
		if wantErr == nil && (err != nil || !reflect.DeepEqual(got, want)) {
			t.Errorf("%s: got %+v, %v, want %+v", text, got, err, want)
		}
	}
	if _, ok := glance([]byte(texts[1])); !ok {
		t.Error("an ordinary work order is not read at a glance")
	}
}

func BenchmarkPod(b *testing.B) {
	data := encode(b, sample(1))
	b.Run("shared", func(b *testing.B) {
		b.ReportAllocs()
		p := New()
		for range b.N {
			_, _ = p.Pod(data)
		}
	})
	b.Run("ordinary", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			_, _ = ordinary(data)
		}
	})
}

// TestConditions: equal conditions are in memory once, also after others were remembered,
// and different ones are not taken for them.
func TestConditions(t *testing.T) {
	p := New()
	list := func(n int) []v1.PodCondition {
		return []v1.PodCondition{{Type: v1.PodReady, Status: v1.ConditionTrue}, {Type: "n", Message: fmt.Sprint(n)}}
	}
	first := p.Conditions(list(0))
	for n := range 3 * keptLists {
		if c := p.Conditions(list(n)); c[1].Message != fmt.Sprint(n) {
			t.Fatalf("%d: %v", n, c)
		}
		if again := p.Conditions(list(0)); &again[0] != &first[0] {
			t.Fatalf("after %d others: not the same", n)
		}
	}
	if c := p.Conditions(nil); c != nil {
		t.Error(c)
	}
	if most := len(p.lists[0]) + len(p.lists[1]); most > 2*keptLists {
		t.Errorf("%d are remembered", most)
	}
}

func BenchmarkOrder(b *testing.B) {
	pod := sample(1)
	pod.Spec.NodeName, pod.Status = "n1", v1.PodStatus{}
	data, p := encode(b, pod), New()
	b.ReportAllocs()
	for range b.N {
		_, _ = p.Order(data)
	}
}

// TestStatus: statuses of pods that started together are the same in memory but for what is theirs.
func TestStatus(t *testing.T) {
	p := New()
	status := func(n int, at int64) v1.PodStatus {
		start, started := metav1.NewTime(time.Unix(at, 0)), true
		return v1.PodStatus{
			StartTime: &start, HostIPs: []v1.HostIP{{IP: "10.0.0.1"}}, PodIP: fmt.Sprint("10.1.0.", n), Conditions: []v1.PodCondition{{Type: v1.PodReady, LastTransitionTime: start}},
			ContainerStatuses: []v1.ContainerStatus{{Started: &started, State: v1.ContainerState{Running: &v1.ContainerStateRunning{StartedAt: start}}}},
		}
	}
	of := func(n int, at int64) v1.PodStatus {
		t.Helper()
		s := status(n, at)
		if p.Status(&s); !reflect.DeepEqual(s, status(n, at)) {
			t.Errorf("of %d at %d: %+v", n, at, s)
		}
		return s
	}
	a, b := of(1, 100), of(2, 100)
	if a.StartTime != b.StartTime || &a.HostIPs[0] != &b.HostIPs[0] || &a.Conditions[0] != &b.Conditions[0] ||
		a.ContainerStatuses[0].Started != b.ContainerStatuses[0].Started || a.ContainerStatuses[0].State.Running != b.ContainerStatuses[0].State.Running {
		t.Error("what is alike is in memory twice")
	}
	of(3, 101)
	of(4, 100)
	s := v1.PodStatus{HostIPs: []v1.HostIP{{IP: "10.0.0.1"}, {IP: "fd00::1"}}, ContainerStatuses: make([]v1.ContainerStatus, 1)}
	if p.Status(&s); len(s.HostIPs) != 2 || s.StartTime != nil || s.ContainerStatuses[0].Started != nil || s.ContainerStatuses[0].State.Running != nil {
		t.Errorf("of two addresses, not started: %+v", s)
	}
}
