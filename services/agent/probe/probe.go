// Package probe runs the startup, liveness and readiness probes of a node's containers.
//
// It reads what runs, which the pods' reconciler tells it, and the containers themselves; it
// writes its verdicts, which the reconciler asks for, and events. What always holds: a container has
// at most one probe of each kind under way; a probe ends at its timeout, or when its container
// is gone; not more are under way at once than there are slots; a verdict changes only when a
// threshold is reached; and liveness and readiness wait for the startup probe.
package probe

import (
	"container/heap"
	"context"
	"math/rand/v2"
	"sync"
	"time"

	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/agent/action"
	"github.com/skerry/skerry/services/agent/sandbox"
)

// Kind is what a probe is for, as events name it.
type Kind string

const (
	Startup   Kind = "Startup"
	Liveness  Kind = "Liveness"
	Readiness Kind = "Readiness"
)

// Target is a container that runs and has probes.
type Target struct {
	action.Target
	Pod       *v1.Pod // for events
	StartedAt time.Time
	// Started and Ready are what was last reported of this run: they hold until its probes say otherwise.
	Started, Ready bool
	// Terminating pods are not killed by their probes any more.
	Terminating bool
}

// State is what the probes of a container say.
type State struct {
	Started, Ready bool
	// Failed is the probe that the container must be ended for, "" for none.
	Failed Kind
}

// Doer does what a probe asks for.
type Doer interface {
	Do(ctx context.Context, t action.Target, h action.Handler) (action.Outcome, string)
}

// Recorder records events; it neither blocks nor fails.
type Recorder interface {
	EventAt(obj schemas.Object, fieldPath, eventType, reason, message string)
}

// How many probes are under way at once. Commands are dear: each is a process that Podman starts.
const (
	netSlots  = 256
	execSlots = 8
)

// Prober runs probes. Safe for concurrent use.
type Prober struct {
	doer     Doer
	recorder Recorder
	notify   func(sandbox.Key)
	wake     chan struct{}
	net      chan struct{}
	exec     chan struct{}

	mu    sync.Mutex
	pods  map[sandbox.Key]map[string]*run // by container id
	queue queue
}

// New returns a prober that calls notify when a container's State has changed; notify must not block.
func New(d Doer, r Recorder, notify func(sandbox.Key)) *Prober {
	return &Prober{
		doer: d, recorder: r, notify: notify, wake: make(chan struct{}, 1),
		net: make(chan struct{}, netSlots), exec: make(chan struct{}, execSlots),
		pods: map[sandbox.Key]map[string]*run{},
	}
}

// Set says which containers of a pod run and have probes: it starts to probe the new ones
// and leaves off those that are not among them.
func (p *Prober) Set(k sandbox.Key, targets []Target) {
	p.mu.Lock()
	defer p.mu.Unlock()
	known := p.pods[k]
	if len(known) == 0 && len(targets) == 0 {
		return
	}
	now := map[string]*run{}
	for _, t := range targets {
		r := known[t.ID]
		if r == nil {
			r = newRun(k, t)
		}
		r.target.Pod, r.target.IP, r.target.Terminating = t.Pod, t.IP, t.Terminating
		now[t.ID] = r
		p.schedule(r)
	}
	for id, r := range known {
		if now[id] == nil {
			p.drop(r)
		}
	}
	p.pods[k] = now
	if len(now) == 0 {
		delete(p.pods, k)
	}
	p.nudge()
}

// State tells what the probes of a container say; false if it is not probed.
func (p *Prober) State(k sandbox.Key, id string) (State, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.pods[k][id]
	if r == nil {
		return State{}, false
	}
	return r.state, true
}

// schedule queues the checks of r that are to run and are not queued or under way.
func (p *Prober) schedule(r *run) {
	now := time.Now()
	for _, c := range r.checks {
		if !c.wanted() {
			p.remove(c)
			continue
		}
		if c.queued || c.busy {
			continue
		}
		c.next = r.target.StartedAt.Add(time.Duration(c.spec.InitialDelaySeconds) * time.Second)
		if now.Sub(c.next) > c.period() && r.target.Started {
			// It ran before the agent did, as others have: not all at once.
			c.next = now.Add(rand.N(c.period()))
		}
		if c.next.Before(now) {
			c.next = now
		}
		p.push(c)
	}
}

func (p *Prober) push(c *check) {
	c.queued = true
	heap.Push(&p.queue, c)
}

func (p *Prober) remove(c *check) {
	if c.queued {
		c.queued = false
		heap.Remove(&p.queue, c.index)
	}
}

func (p *Prober) drop(r *run) {
	r.cancel()
	for _, c := range r.checks {
		p.remove(c)
	}
}

func (p *Prober) nudge() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// Run probes until ctx ends, and waits for what is under way.
func (p *Prober) Run(ctx context.Context) error {
	var under sync.WaitGroup
	defer under.Wait()
	defer p.stop()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		due, wait := p.due()
		for _, c := range due {
			under.Go(func() { p.try(ctx, c) })
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
		case <-p.wake:
		}
	}
}

// stop ends all probes that are under way.
func (p *Prober) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, runs := range p.pods {
		for _, r := range runs {
			p.drop(r)
		}
	}
	clear(p.pods)
}

// due takes the checks whose time has come, and tells how long it is until the next.
func (p *Prober) due() (due []*check, wait time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	for len(p.queue) > 0 {
		c := p.queue[0]
		if wait := c.next.Sub(now); wait > 0 {
			return due, wait
		}
		p.remove(c)
		c.busy = true
		due = append(due, c)
	}
	return due, time.Hour
}
