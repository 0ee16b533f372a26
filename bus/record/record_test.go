package record

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
)

// sink is an apiserver that notes the events it gets.
type sink struct {
	mu     sync.Mutex
	events []*corev1.Event
	fail   func(n int) error // called with the number of the attempt
	tries  int
}

func (s *sink) CreateMany(ctx context.Context, _ schemas.Resource, ns schemas.Namespace, objs []schemas.Object) ([]api.Brief, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	briefs := make([]api.Brief, len(objs))
	for i, obj := range objs {
		s.tries++
		if s.fail != nil {
			err := s.fail(s.tries)
			var known apierrors.APIStatus
			switch {
			case errors.As(err, &known):
				st := known.Status()
				briefs[i].Status = &st
				continue
			case err != nil:
				return nil, err
			}
		}
		if schemas.Namespace(obj.GetNamespace()) != ns {
			return nil, fmt.Errorf("an event of %s among those of %s", obj.GetNamespace(), ns)
		}
		s.events = append(s.events, obj.(*corev1.Event))
	}
	return briefs, nil
}

func (s *sink) Kind(obj schemas.Object) schema.GroupVersionKind {
	return schema.GroupVersionKind{Version: "v1", Kind: "Pod"}
}

func (s *sink) got() []*corev1.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*corev1.Event(nil), s.events...)
}

func pod(name string) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "shop", UID: "u-" + "1", ResourceVersion: "42"}}
}

func recorder(s *sink, opts ...Option) *Recorder {
	return newRecorder(s, slog.New(slog.DiscardHandler), "agent", "n1", opts...)
}

func TestEventFields(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		at := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
		r := recorder(s, Clock(func() time.Time { return at }))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- r.Run(ctx) }()
		r.Eventf(pod("web"), corev1.EventTypeWarning, "BackOff", "back-off %d", 5)
		r.Event(pod("web"), corev1.EventTypeWarning, "BackOff", "back-off 5")
		r.Event(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1"}}, corev1.EventTypeNormal, "Starting", strings.Repeat("ü", 1000))
		synctest.Wait()
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		got := s.got()
		if len(got) != 3 {
			t.Fatalf("got %d events", len(got))
		}
		e := got[0]
		want := corev1.ObjectReference{Kind: "Pod", APIVersion: "v1", Namespace: "shop", Name: "web", UID: "u-1", ResourceVersion: "42"}
		if e.InvolvedObject != want || e.Namespace != "shop" || e.Reason != "BackOff" || e.Message != "back-off 5" ||
			e.Type != "Warning" || e.Count != 1 || !e.FirstTimestamp.Time.Equal(at) || !e.LastTimestamp.Time.Equal(at) ||
			e.Source != (corev1.EventSource{Component: "agent", Host: "n1"}) || e.ReportingController != "agent" || e.ReportingInstance != "n1" {
			t.Errorf("got %+v", e)
		}
		if !strings.HasPrefix(e.Name, "web.") || e.Name != got[1].Name {
			t.Errorf("names %q and %q", e.Name, got[1].Name)
		}
		if n := got[2]; n.Namespace != "default" || n.InvolvedObject.Namespace != "" || len(n.Message) != maxMessage {
			t.Errorf("got %+v", n)
		}
	})
}

// Voices share a queue, and keep their events apart.
func TestVoices(t *testing.T) {
	r := recorder(&sink{})
	r.As("deployment-controller").Event(pod("a"), corev1.EventTypeNormal, "Scaled", "up")
	r.As("replicaset-controller").Event(pod("a"), corev1.EventTypeNormal, "Scaled", "up")
	ns, events := r.pop()
	if ns != "shop" || len(events) != 2 || events[0].GetName() == events[1].GetName() {
		t.Fatalf("%s: %v", ns, events)
	}
	if e := events[1].(*corev1.Event); e.Source.Component != "replicaset-controller" || e.ReportingController != "replicaset-controller" || e.Source.Host != "n1" {
		t.Errorf("source = %+v, controller %s", e.Source, e.ReportingController)
	}
}

func TestEventName(t *testing.T) {
	base := eventName(pod("web"), "", "agent", "Normal", "Pulled", "m")
	other := pod("web")
	other.UID = "u-2"
	for name, n := range map[string]string{
		"part":    eventName(pod("web"), "spec.containers{c}", "agent", "Normal", "Pulled", "m"),
		"uid":     eventName(other, "", "agent", "Normal", "Pulled", "m"),
		"source":  eventName(pod("web"), "", "scheduler", "Normal", "Pulled", "m"),
		"type":    eventName(pod("web"), "", "agent", "Warning", "Pulled", "m"),
		"reason":  eventName(pod("web"), "", "agent", "Normal", "Pulling", "m"),
		"shifted": eventName(pod("web"), "", "agent", "Normal", "Pulledm", ""),
	} {
		if n == base {
			t.Errorf("%s makes no difference", name)
		}
	}
	if n := eventName(pod(strings.Repeat("a", 253)), "", "agent", "Normal", "Pulled", "m"); len(n) > 253 {
		t.Errorf("a name of %d characters", len(n))
	}
}

func TestSpamFilter(t *testing.T) {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	r := recorder(&sink{}, Clock(func() time.Time { return now }))
	record := func(name string, n int) (sent int) {
		before := len(r.queue)
		for i := range n {
			r.Event(pod(name), "Normal", "Tick", fmt.Sprint(i))
		}
		return len(r.queue) - before
	}
	if got := record("web", 100); got != 25 {
		t.Errorf("a burst of %d", got)
	}
	if got := record("db", 1); got != 1 {
		t.Error("one object's flood hits another")
	}
	now = now.Add(11 * time.Minute)
	if got := record("web", 100); got != 2 {
		t.Errorf("%d after eleven minutes", got)
	}
	if r.Dropped() != 75+98 {
		t.Errorf("%d dropped", r.Dropped())
	}
}

func TestFullQueueDropsTheOldest(t *testing.T) {
	r := recorder(&sink{})
	for i := range queueSize + 10 {
		r.Event(pod(fmt.Sprintf("p%d", i)), "Normal", "Tick", "")
	}
	if len(r.queue) != queueSize || r.Dropped() != 10 || r.queue[0].InvolvedObject.Name != "p10" {
		t.Errorf("%d queued from %s, %d dropped", len(r.queue), r.queue[0].InvolvedObject.Name, r.Dropped())
	}
}

// TestUnreachable: events wait for the apiserver, in order; refused ones do not block.
func TestUnreachable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{fail: func(n int) error {
			switch {
			case n <= 5:
				return fmt.Errorf("create: %w", bus.ErrUnreachable)
			case n == 6:
				return apierrors.NewBadRequest("no such namespace")
			}
			return nil
		}}
		r := recorder(s)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- r.Run(ctx) }()
		r.Event(pod("a"), "Normal", "Tick", "")
		r.Event(pod("b"), "Normal", "Tick", "")
		for len(s.got()) == 0 {
			<-time.After(time.Second) // the bubble's clock, not the wall's
		}
		cancel()
		<-done
		if got := s.got(); len(got) != 1 || got[0].InvolvedObject.Name != "b" || r.Dropped() != 1 {
			t.Errorf("got %d events, %d dropped", len(got), r.Dropped())
		}
	})
}

// TestLastCall: what is queued at the end is still sent, but not for long.
func TestLastCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		r := recorder(s)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		r.Event(pod("a"), "Normal", "Killing", "")
		if err := r.Run(ctx); err != nil || len(s.got()) != 1 {
			t.Errorf("%v, %d events", err, len(s.got()))
		}
		s.fail = func(int) error { return errors.New("down") }
		r.Event(pod("a"), "Normal", "Killing", "again")
		if err := r.Run(ctx); err != nil || r.Dropped() != 1 {
			t.Errorf("%v, %d dropped", err, r.Dropped())
		}
	})
}

// TestTooManyEvents: an apiserver that refuses ordinary events is told no more of them for
// a while, but of what goes wrong.
func TestTooManyEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{fail: func(n int) error {
			if n == 1 {
				return apierrors.NewTooManyRequests("too many", 1)
			}
			return nil
		}}
		r := recorder(s)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- r.Run(ctx) }()
		tell := func(eventType, reason string, after time.Duration) {
			r.Event(pod("web"), eventType, reason, "")
			time.Sleep(after)
		}
		tell(corev1.EventTypeNormal, "Refused", time.Second)
		tell(corev1.EventTypeNormal, "NotSent", time.Second)
		tell(corev1.EventTypeWarning, "Failed", 2*firstHush)
		tell(corev1.EventTypeNormal, "Started", time.Second)
		cancel()
		<-done
		var got []string
		for _, e := range s.got() {
			got = append(got, e.Reason)
		}
		if strings.Join(got, " ") != "Failed Started" || s.tries != 3 || r.Dropped() != 2 {
			t.Errorf("told %q in %d tries, %d dropped", got, s.tries, r.Dropped())
		}
	})
}

// TestHush: who is refused again and again asks more and more seldom, and as at first once it was heard.
func TestHush(t *testing.T) {
	now := time.Unix(1e9, 0)
	r := newRecorder(&sink{}, slog.New(slog.DiscardHandler), "c", "", Clock(func() time.Time { return now }))
	for i, c := range []struct {
		refused bool
		want    time.Duration // about; 0: none
	}{
		{true, firstHush}, {true, 2 * firstHush}, {true, 4 * firstHush}, {true, lastHush}, {true, lastHush}, {false, 0}, {true, firstHush},
	} {
		r.told(c.refused)
		got := max(r.hushed.Sub(now), 0)
		if got < c.want/2 || got > c.want*3/2 {
			t.Errorf("step %d: hushed for %s, want about %s", i, got, c.want)
		}
		if before := r.hushed; c.want > 0 {
			r.told(false)
			r.told(true)
			if r.hushed != before || r.hush != c.want {
				t.Errorf("step %d: what is told meanwhile counts", i)
			}
		}
		now = now.Add(2 * lastHush)
	}
}
