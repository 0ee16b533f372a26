package scheduler

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/bus/record"
	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/bus/view"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/kinds"
	"github.com/skerry/skerry/services/scheduler/place"
)

// TestOneOfManyFails: a cycle of which one write failed is over when the view shows those that did not. Until then all
// count where they were placed: who decided about them again would give them second nodes.
func TestOneOfManyFails(t *testing.T) {
	r := newRig(t)
	r.put(r.node("n1", "8"), r.pod("good", "1"), r.pod("late", "1"), r.pod("bad", "1"))
	proxy := r.bus.Proxy(t) // the scheduler's view is behind it, its writes are not
	seen := view.New(proxy.Conn(t, "system:scheduler"), kinds.Table())
	ended := make(chan error, 1)
	go func() { ended <- seen.Run(r.ctx) }()
	if err := seen.WaitSynced(r.ctx); err != nil {
		t.Fatal(err)
	}
	direct := r.bus.Conn(t, "system:scheduler")
	s := &scheduler{
		Config: Config{Name: v1.DefaultSchedulerName, Now: time.Now, Log: slog.New(slog.DiscardHandler)}, view: seen, store: store.New(direct, bus.BucketState),
		events: record.New(api.NewClient(direct, kinds.Table()), "test", ""), state: newMirror(v1.DefaultSchedulerName, place.Policy{}), memory: newMemory(),
	}
	var writes []write
	for _, name := range []string{"good", "late", "bad"} {
		ref := schemas.Ref{Resource: schemas.Pods, Namespace: "default", Name: schemas.Name(name)}
		pod, _ := seen.Parts(ref).Objects.Desired.(*v1.Pod)
		if pod == nil {
			t.Fatalf("no pod %s", name)
		}
		if _, ok := s.state.assume(pod, "n1"); !ok {
			t.Fatalf("%s is somewhere", name)
		}
		writes = append(writes, write{ops: assign(pod, "n1", store.Entry{}), pods: []decision{{item: itemOf(ref, pod), pod: pod, node: "n1", order: 1}}})
	}
	// An answer that was lost: what was written is there, and the scheduler's own attempt meets it.
	if _, err := s.store.Apply(r.ctx, writes[1].ops...); err != nil {
		t.Fatal(err)
	}
	writes[2].ops[0].Value = make([]byte, direct.NC.MaxPayload())
	proxy.Mute()
	over := make(chan error, 1)
	go func() { over <- s.write(r.ctx, writes) }()
	r.await("good", "placed", on("n1"))
	proxy.Cut()
	if err := <-over; !errors.Is(err, store.ErrTooLarge) {
		t.Errorf("the cycle's error: %v", err)
	}
	for name, want := range map[string]schemas.NodeName{"good": "n1", "late": "n1", "bad": ""} {
		pod := r.await(name, "there", func(*v1.Pod) bool { return true })
		if got, _ := s.state.cluster.Node(pod.UID); got != want {
			t.Errorf("%s counts on node %q, want %q", name, got, want)
		}
	}
	if due, _ := s.state.queue.take(10, time.Now()); len(due) != 1 || due[0].ref.Name != "late" {
		t.Errorf("to be looked at again: %v", due)
	}
}
