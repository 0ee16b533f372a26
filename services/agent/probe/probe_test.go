package probe

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/agent/action"
	"github.com/skerry/skerry/services/agent/sandbox"
)

// bench is a prober in a bubble of time, with answers by the test.
type bench struct {
	t      *testing.T
	p      *Prober
	begun  time.Time
	mu     sync.Mutex
	answer func(h action.Handler) action.Outcome
	takes  time.Duration
	now    int
	most   int
	tries  []string // "Startup@1.5s"
	events []string
	news   int
}

func (b *bench) Do(ctx context.Context, _ action.Target, h action.Handler) (action.Outcome, string) {
	b.mu.Lock()
	b.now++
	b.most = max(b.most, b.now)
	b.tries = append(b.tries, fmt.Sprintf("%s@%s", h.TCP.Host, time.Since(b.begun)))
	takes, answer := b.takes, b.answer
	b.mu.Unlock()
	defer func() { b.mu.Lock(); b.now--; b.mu.Unlock() }()
	select {
	case <-ctx.Done():
		return action.Failure, ctx.Err().Error()
	case <-time.After(takes):
	}
	return answer(h), "so it is"
}

func (b *bench) EventAt(_ schemas.Object, _, eventType, reason, message string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.events = append(b.events, eventType+" "+reason+": "+message)
}

func (b *bench) took() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := strings.Join(b.tries, " ")
	b.tries = nil
	return s
}

// in runs f beside a prober whose probes succeed unless told otherwise.
func in(t *testing.T, f func(b *bench)) {
	synctest.Test(t, func(t *testing.T) {
		b := &bench{t: t, begun: time.Now(), answer: func(action.Handler) action.Outcome { return action.Success }}
		b.p = New(b, b, func(sandbox.Key) { b.mu.Lock(); b.news++; b.mu.Unlock() })
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- b.p.Run(ctx) }()
		f(b)
		cancel()
		<-done
	})
}

func (b *bench) pass(d time.Duration) { time.Sleep(d); synctest.Wait() }

var key = sandbox.Key{Namespace: "default", Name: "web"}

// spec is a probe whose host tells the kind, so that the answers can depend on it.
func spec(kind Kind, change ...func(*v1.Probe)) *v1.Probe {
	p := &v1.Probe{PeriodSeconds: 10, TimeoutSeconds: 1, SuccessThreshold: 1, FailureThreshold: 3}
	p.TCPSocket = &v1.TCPSocketAction{Host: string(kind)}
	for _, f := range change {
		f(p)
	}
	return p
}

func (b *bench) target(id string, c v1.Container) Target {
	return Target{Target: action.Target{ID: id, Container: &c}, Pod: &v1.Pod{}, StartedAt: b.begun}
}

func (b *bench) want(id string, want State) {
	b.t.Helper()
	if got, _ := b.p.State(key, id); got != want {
		b.t.Errorf("after %s: %+v, want %+v", time.Since(b.begun), got, want)
	}
}

func TestReadinessThresholds(t *testing.T) {
	in(t, func(b *bench) {
		c := v1.Container{ReadinessProbe: spec(Readiness, func(p *v1.Probe) { p.SuccessThreshold, p.InitialDelaySeconds = 2, 4 })}
		b.p.Set(key, []Target{b.target("a", c)})
		b.pass(3 * time.Second)
		b.want("a", State{Started: true})
		b.pass(10 * time.Second)
		b.want("a", State{Started: true}) // one success
		b.pass(5 * time.Second)
		b.want("a", State{Started: true, Ready: true})
		if got := b.took(); got != "Readiness@4s Readiness@14s" {
			t.Errorf("tried %s", got)
		}
		b.answer = func(action.Handler) action.Outcome { return action.Failure }
		b.pass(20 * time.Second)
		b.want("a", State{Started: true, Ready: true}) // two failures
		b.pass(10 * time.Second)
		b.want("a", State{Started: true})
		if b.news != 2 || len(b.events) != 3 || b.events[0] != "Warning Unhealthy: Readiness probe failed: so it is" {
			t.Errorf("%d changes, events %q", b.news, b.events)
		}
		b.answer = func(action.Handler) action.Outcome { return action.Unknown }
		b.pass(30 * time.Second)
		b.want("a", State{Started: true})
		b.answer = func(action.Handler) action.Outcome { return action.Warning }
		b.pass(20 * time.Second)
		b.want("a", State{Started: true, Ready: true})
		if last := b.events[len(b.events)-1]; last != "Warning ProbeWarning: Readiness probe warning: so it is" {
			t.Errorf("last event %q", last)
		}
	})
}

func TestStartupComesFirst(t *testing.T) {
	in(t, func(b *bench) {
		c := v1.Container{StartupProbe: spec(Startup, func(p *v1.Probe) { p.PeriodSeconds = 1 }), LivenessProbe: spec(Liveness), ReadinessProbe: spec(Readiness)}
		b.answer = func(h action.Handler) action.Outcome {
			if h.TCP.Host == string(Startup) && time.Since(b.begun) < 2*time.Second {
				return action.Failure
			}
			return action.Success
		}
		b.p.Set(key, []Target{b.target("a", c)})
		b.pass(time.Second)
		b.want("a", State{})
		b.pass(2 * time.Second)
		b.want("a", State{Started: true, Ready: true})
		b.pass(10 * time.Second)
		got := b.took()
		for _, once := range []string{"Startup@0s", "Startup@1s", "Startup@2s", "Liveness@2s", "Readiness@2s", "Liveness@12s", "Readiness@12s"} {
			if !strings.Contains(got, once) {
				t.Errorf("no %s in %s", once, got)
			}
		}
		if strings.Count(got, "@") != 7 {
			t.Errorf("tried %s", got)
		}
	})
}

func TestLivenessFailsOnce(t *testing.T) {
	in(t, func(b *bench) {
		c := v1.Container{LivenessProbe: spec(Liveness)}
		b.answer = func(action.Handler) action.Outcome { return action.Failure }
		b.p.Set(key, []Target{b.target("a", c)})
		b.pass(20*time.Second - time.Millisecond)
		b.want("a", State{Started: true, Ready: true})
		b.pass(time.Millisecond)
		b.want("a", State{Started: true, Ready: true, Failed: Liveness})
		b.took()
		b.pass(time.Minute)
		if got := b.took(); got != "" {
			t.Errorf("went on: %s", got)
		}
		b.p.Set(key, []Target{b.target("b", c)}) // its successor
		b.pass(time.Second)
		if got := b.took(); strings.Count(got, "@") != 1 {
			t.Errorf("successor: %s", got)
		}
		if _, known := b.p.State(key, "a"); known {
			t.Error("the former one is remembered")
		}
	})
}

func TestNoProbeOutlivesItsContainerOrTimeout(t *testing.T) {
	in(t, func(b *bench) {
		c := v1.Container{LivenessProbe: spec(Liveness, func(p *v1.Probe) { p.TimeoutSeconds, p.FailureThreshold = 3, 1 })}
		b.takes = time.Hour
		b.p.Set(key, []Target{b.target("a", c)})
		b.pass(time.Second)
		b.p.Set(key, nil)
		b.pass(time.Millisecond)
		if b.now != 0 || len(b.events) != 0 {
			t.Errorf("%d under way, events %q", b.now, b.events)
		}
		b.p.Set(key, []Target{b.target("b", c)})
		b.pass(4 * time.Second)
		b.want("b", State{Started: true, Ready: true, Failed: Liveness})
	})
}

func TestWhatWasReportedHoldsAfterARestart(t *testing.T) {
	in(t, func(b *bench) {
		c := v1.Container{StartupProbe: spec(Startup), ReadinessProbe: spec(Readiness)}
		b.answer = func(action.Handler) action.Outcome { return action.Failure }
		var targets []Target
		for i := range 100 {
			a := b.target(fmt.Sprint("a", i), c)
			a.Started, a.Ready, a.StartedAt = true, true, b.begun.Add(-time.Hour)
			targets = append(targets, a)
		}
		b.p.Set(key, targets)
		b.pass(time.Millisecond)
		b.want("a0", State{Started: true, Ready: true})
		if got := b.took(); strings.Count(got, "@") > 5 {
			t.Errorf("not spread: %s", got)
		}
		b.pass(10 * time.Second)
		if got := b.took(); strings.Count(got, "@") < 95 || strings.Contains(got, "Startup") {
			t.Errorf("in the first period: %s", got)
		}
		b.pass(20 * time.Second)
		b.want("a0", State{Started: true})
	})
}

func TestTerminatingPodsAreNotKilledByProbes(t *testing.T) {
	in(t, func(b *bench) {
		c := v1.Container{LivenessProbe: spec(Liveness), ReadinessProbe: spec(Readiness)}
		a := b.target("a", c)
		b.p.Set(key, []Target{a})
		b.pass(time.Second)
		b.answer = func(action.Handler) action.Outcome { return action.Failure }
		a.Terminating = true
		b.p.Set(key, []Target{a})
		b.pass(time.Minute)
		b.want("a", State{Started: true})
	})
}

func TestSlots(t *testing.T) {
	in(t, func(b *bench) {
		b.takes = 500 * time.Millisecond
		var targets []Target
		for i := range 3 * netSlots {
			targets = append(targets, b.target(fmt.Sprint("a", i), v1.Container{LivenessProbe: spec(Liveness)}))
		}
		b.p.Set(key, targets)
		b.pass(5 * time.Second)
		if b.most != netSlots || strings.Count(b.took(), "@") != 3*netSlots {
			t.Errorf("%d at once", b.most)
		}
	})
}
