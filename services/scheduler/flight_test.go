package scheduler

import (
	"errors"
	"slices"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/placement"
	"github.com/skerry/skerry/services/scheduler/place"
)

func items(names ...string) (out []item) {
	for _, n := range names {
		out = append(out, item{ref: schemas.Ref{Resource: schemas.Pods, Namespace: "ns", Name: schemas.Name(n)}})
	}
	return out
}

func names(its []item) (out []string) {
	for _, it := range its {
		out = append(out, string(it.ref.Name))
	}
	slices.Sort(out)
	return out
}

// TestFlights: several are under way at once, no pod is in two of them, and who was due again
// meanwhile, or has failed, is looked at again.
func TestFlights(t *testing.T) {
	f := newFlights()
	errAway := errors.New("the bus is away")
	ends := map[string]chan error{}
	start := func(plain bool, names ...string) {
		end := make(chan error, 1)
		ends[names[0]] = end
		f.start(flight{due: items(names...), plain: plain}, func() error { return <-end })
	}
	land := func(first string, err error, want ...string) {
		t.Helper()
		ends[first] <- err
		if got := names(f.land(<-f.landed)); !slices.Equal(got, want) {
			t.Errorf("after %s landed (%v): %q are looked at again, want %q", first, err, got, want)
		}
	}
	start(true, "a", "b")
	start(true, "c", "d")
	if f.full() {
		t.Error("two are too many")
	}
	if got := names(f.free(items("b", "c", "e"))); !slices.Equal(got, []string{"e"}) {
		t.Errorf("%q can be decided about", got)
	}
	land("c", nil, "c")
	land("a", errAway, "a", "b")
	if !f.failed || f.rest != 50*time.Millisecond || len(f.pods)+len(f.held)+f.count > 0 {
		t.Errorf("%+v", f)
	}
	start(false, "a")
	if !f.full() {
		t.Error("another one beside one that must be alone")
	}
	land("a", nil)
	for _, n := range []string{"a", "b", "c", "d"} {
		if f.full() {
			t.Errorf("no room for %s", n)
		}
		start(true, n)
	}
	if !f.full() {
		t.Errorf("room for a %dth", airborne+1)
	}
	for n := range ends {
		ends[n] <- nil
	}
	f.group.Wait()
}

// TestPlain: only a single pod's work order lets others be decided before it is in sight.
func TestPlain(t *testing.T) {
	order := write{ops: make([]store.Op, 1), pods: []decision{{pod: &v1.Pod{}, node: "n", order: 1}}}
	verdict, evicts, over := order, order, order
	verdict.pods = []decision{{verdict: "0/1 nodes are available"}}
	evicts.pods = []decision{{preempt: &place.Preemption{}}}
	over.ops = make([]store.Op, 2) // a verdict goes, the order comes
	gang := order
	gang.pods = make([]decision, 2)
	for name, tc := range map[string]struct {
		w    write
		want bool
	}{"order": {order, true}, "verdict": {verdict, false}, "eviction": {evicts, false}, "two keys": {over, false}, "gang": {gang, false}} {
		if got := plain([]write{order, tc.w}); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestRoomThatWasOnlyAssumed: a pod that found no room beside one whose placement was not written then is looked at
// again, for nothing else may tell of that room: the other one may be gone.
func TestRoomThatWasOnlyAssumed(t *testing.T) {
	now := time.Now()
	s := &scheduler{view: newRig(t).view, state: newMirror(v1.DefaultSchedulerName, place.Policy{}), memory: newMemory(), Config: Config{Now: time.Now}}
	both := items("placed", "waits")
	pod := &v1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "placed", UID: "u"}}
	if _, ok := s.state.assume(pod, "n1"); !ok {
		t.Fatal("it is placed already")
	}
	s.state.queue.putOff(both[1], false, now)
	now = now.Add(2 * firstWait)
	if due, _ := s.state.queue.take(batch, now); len(due) > 0 {
		t.Fatalf("%q are due, and nothing has changed", names(due))
	}
	s.forgetAssumed(write{pods: []decision{{item: both[0], verdict: "0/1 nodes are available"}}})
	if due, _ := s.state.queue.take(batch, now); len(due) > 0 {
		t.Errorf("%q are due after a verdict, which took no room", names(due))
	}
	placed := write{pods: []decision{{item: both[0], pod: pod, node: "n1", score: &placement.Score{}}}}
	s.remember([]write{placed})
	if s.memory.get("u", "n1") == nil {
		t.Error("what decided is not remembered")
	}
	s.forgetAssumed(placed)
	if s.memory.get("u", "n1") != nil {
		t.Error("what decided nothing is remembered")
	}
	if due, _ := s.state.queue.take(batch, now); !slices.Equal(names(due), []string{"waits"}) {
		t.Errorf("%q are due", names(due))
	}
}
