package probe

import (
	"context"
	"time"

	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/services/agent/action"
	"github.com/skerry/skerry/services/agent/sandbox"
)

// run is one run of a container. The Prober's lock guards it.
type run struct {
	key    sandbox.Key
	target Target
	state  State
	checks []*check
	ctx    context.Context //nolint:containedctx // ends with the run, which outlives every call
	cancel context.CancelFunc
}

// check is one probe of a run.
type check struct {
	run  *run
	kind Kind
	spec *v1.Probe

	next   time.Time
	index  int // in the queue
	queued bool
	busy   bool
	held   bool // it has failed for good

	passed bool // the last result, and how often it came in a row
	count  int32
}

func newRun(k sandbox.Key, t Target) *run {
	r := &run{key: k, target: t}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	add := func(kind Kind, spec *v1.Probe) {
		if spec != nil {
			r.checks = append(r.checks, &check{run: r, kind: kind, spec: spec})
		}
	}
	c := t.Container
	add(Startup, c.StartupProbe)
	add(Liveness, c.LivenessProbe)
	add(Readiness, c.ReadinessProbe)
	r.state.Started = t.Started || c.StartupProbe == nil
	r.state.Ready = t.Ready || c.ReadinessProbe == nil
	return r
}

// wanted tells whether the check is to run now and then.
func (c *check) wanted() bool {
	switch {
	case c.held:
		return false
	case c.kind == Startup:
		return !c.run.state.Started && !c.run.target.Terminating
	case c.kind == Liveness && c.run.target.Terminating:
		return false
	}
	return c.run.state.Started
}

func (c *check) period() time.Duration {
	return time.Duration(max(c.spec.PeriodSeconds, 1)) * time.Second
}

func (c *check) timeout() time.Duration {
	return time.Duration(max(c.spec.TimeoutSeconds, 1)) * time.Second
}

func (c *check) handler() action.Handler {
	return action.Handler{Exec: c.spec.Exec, HTTP: c.spec.HTTPGet, TCP: c.spec.TCPSocket, GRPC: c.spec.GRPC}
}

// take counts a result. It tells whether the run's state has changed.
func (c *check) take(passed bool) bool {
	if c.count > 0 && c.passed == passed {
		c.count++
	} else {
		c.passed, c.count = passed, 1
	}
	before := c.run.state
	switch {
	case passed && c.count < c.spec.SuccessThreshold, !passed && c.count < c.spec.FailureThreshold:
		return false
	case c.kind == Readiness:
		c.run.state.Ready = passed
	case passed && c.kind == Startup:
		c.run.state.Started = true
	case !passed:
		c.run.state.Failed = c.kind
		c.held = true // until there is another container
	}
	return c.run.state != before
}

// queue is a heap of checks by time.
type queue []*check

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].next.Before(q[j].next) }
func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}
func (q *queue) Push(x any) {
	c, _ := x.(*check) // only checks are pushed
	c.index = len(*q)
	*q = append(*q, c)
}
func (q *queue) Pop() any {
	old := *q
	c := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	return c
}
