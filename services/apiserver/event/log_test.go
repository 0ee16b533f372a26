package event

import (
	"encoding/json"
	"fmt"
	"runtime"
	"testing"
	"unsafe"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/bus/view"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/share"
)

func newTestLog() *Log {
	return &Log{handle: func(view.Change) {}, texts: share.New(), kept: newBounded(store.KeptEventBytes), moved: make(chan struct{}), synced: make(chan struct{})}
}

// tell takes in the n-th event of many pods, four of each.
func (l *Log) tell(t testing.TB, n int) *v1.Event {
	reason := []string{"Scheduled", "Pulled", "Created", "Started"}[n%4]
	pod := fmt.Sprintf("big-67b4f58d64-%05d", n/4)
	ev := &v1.Event{
		ObjectMeta:     metav1.ObjectMeta{Namespace: "default", Name: fmt.Sprintf("%s.%016x", pod, n), CreationTimestamp: metav1.Unix(1700000000, 0)},
		InvolvedObject: v1.ObjectReference{APIVersion: "v1", Kind: "Pod", Namespace: "default", Name: pod, UID: types.UID(fmt.Sprintf("2c520523-bef6-476b-bb39-%012d", n/4)), FieldPath: "spec.containers{c}"},
		Type:           "Normal", Reason: reason, Message: reason + " container c of an image that is on the machine", Source: v1.EventSource{Component: "kubelet", Host: "sim-1"}, ReportingController: "kubelet", ReportingInstance: "sim-1",
		FirstTimestamp: metav1.Unix(1700000000, 0), LastTimestamp: metav1.Unix(1700000000, 0), Count: 1,
	}
	text, err := json.Marshal(ev)
	if err != nil {
		t.Fatal(err)
	}
	ref := schemas.RefOf(schemas.Events, ev)
	l.take(store.Event{Entry: store.Entry{Key: keyOf(ref), Revision: store.Revision(n + 1), Value: text}})
	return l.kept.all[ref].Event
}

// TestTexts: what events say alike is in memory once, and what they say is what was stored.
func TestTexts(t *testing.T) {
	l := newTestLog()
	one, two := l.tell(t, 1), l.tell(t, 5)
	if one.Message != two.Message || unsafe.StringData(one.Message) != unsafe.StringData(two.Message) || unsafe.StringData(one.Source.Host) != unsafe.StringData(two.Source.Host) {
		t.Errorf("in memory twice: %q, %q", one.Message, two.Message)
	}
	if one.InvolvedObject.Name == two.InvolvedObject.Name || one.Reason != "Pulled" || one.ReportingInstance != "sim-1" || one.InvolvedObject.FieldPath != "spec.containers{c}" {
		t.Errorf("%+v, %+v", one, two)
	}
}

// BenchmarkMemory tells what an event costs the copy in memory.
func BenchmarkMemory(b *testing.B) {
	const events = 20_000
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	for range b.N {
		l, before := newTestLog(), heap()
		for n := range events {
			l.tell(b, n)
		}
		b.ReportMetric(float64(heap()-before)/events, "B/event")
		runtime.KeepAlive(l)
	}
}

// TestBounded: the copy is no larger than the stream, which drops its oldest events without
// telling; whoever watches is told. Events that are counted up are as old as their last time.
func TestBounded(t *testing.T) {
	l := newTestLog()
	l.kept = newBounded(20_000)
	there := map[schemas.Ref]bool{}
	l.handle = func(c view.Change) {
		if c.Type == view.Deleted && !there[c.Ref] || c.Type == view.Added && there[c.Ref] || c.Object == nil {
			t.Fatalf("%+v", c)
		}
		there[c.Ref] = c.Type != view.Deleted
		if c.Type == view.Deleted {
			delete(there, c.Ref)
		}
	}
	first := schemas.RefOf(schemas.Events, l.tell(t, 0))
	for n := 1; n < 5000; n++ {
		last := schemas.RefOf(schemas.Events, l.tell(t, n))
		l.take(store.Event{Entry: store.Entry{Key: keyOf(first), Revision: store.Revision(100_000 + n), Value: []byte(`{"metadata":{"namespace":"default"},"count":2}`)}})
		for _, ref := range []schemas.Ref{first, last} {
			if _, ok := l.Get(ref); !ok {
				t.Fatalf("step %d: %s is gone", n, ref)
			}
		}
	}
	size := 0
	for _, h := range l.kept.all {
		size += h.size
	}
	if n := len(l.kept.all); size != l.kept.size || size > 20_000 || n < 15 || n != len(there) || len(l.kept.order) > 2*n+1024 {
		t.Errorf("%d events of %d bytes (%d), %d known to who watches, %d in order", n, size, l.kept.size, len(there), len(l.kept.order))
	}
	for ref := range there {
		l.take(store.Event{Entry: store.Entry{Key: keyOf(ref), Revision: 200_000, Deleted: true}})
	}
	if l.kept.size != 0 || len(l.kept.all) != 0 {
		t.Errorf("left: %d bytes, %v", l.kept.size, l.kept.all)
	}
}
