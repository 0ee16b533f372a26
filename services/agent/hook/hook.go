// Package hook runs the postStart and preStop hooks of containers.
//
// It reads the hooks of the spec and what the reconciler tells of containers; it acts on
// containers and their addresses, and remembers how each postStart hook went while its
// container lives. What always holds: a postStart hook runs once for each run of a container
// and agent; it ends with its container or the agent; nobody waits for it but Run.
package hook

import (
	"context"
	"errors"
	"sync"
	"time"

	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/bus/pause"
	"github.com/skerry/skerry/services/agent/action"
	"github.com/skerry/skerry/services/agent/sandbox"
)

// Doer does what a hook asks for.
type Doer interface {
	Command(ctx context.Context, t action.Target, a *v1.ExecAction) error
	Get(ctx context.Context, t action.Target, a *v1.HTTPGetAction) error
	Connect(ctx context.Context, t action.Target, a *v1.TCPSocketAction) error
}

// Do does what h asks for, and returns when it is done or ctx ends.
func Do(ctx context.Context, d Doer, t action.Target, h *v1.LifecycleHandler) error {
	switch {
	case h.Exec != nil:
		return d.Command(ctx, t, h.Exec)
	case h.HTTPGet != nil:
		return d.Get(ctx, t, h.HTTPGet)
	case h.TCPSocket != nil:
		return d.Connect(ctx, t, h.TCPSocket)
	case h.Sleep != nil:
		return pause.For(ctx, time.Duration(h.Sleep.Seconds)*time.Second)
	}
	return errors.New("invalid handler: it asks for nothing")
}

// State is how far a postStart hook is.
type State string

const (
	None    State = ""
	Running State = "running"
	Done    State = "done"
	Failed  State = "failed"
)

// Starts runs postStart hooks in the background. Safe for concurrent use.
type Starts struct {
	doer Doer

	mu    sync.Mutex
	hooks map[string]*start // by container id
	under sync.WaitGroup
}

type start struct {
	pod    sandbox.Key
	state  State
	cancel context.CancelFunc
}

// NewStarts returns one that acts through d.
func NewStarts(d Doer) *Starts { return &Starts{doer: d, hooks: map[string]*start{}} }

// Begin starts the hook of a container that has begun to run, unless it did so before. done is
// called when it has returned: not if it was called off meanwhile.
func (s *Starts) Begin(ctx context.Context, pod sandbox.Key, t action.Target, h *v1.LifecycleHandler, done func(err error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hooks[t.ID] != nil {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	st := &start{pod: pod, state: Running, cancel: cancel}
	s.hooks[t.ID] = st
	s.under.Go(func() {
		defer cancel()
		err := Do(ctx, s.doer, t, h)
		if ctx.Err() == nil {
			s.finish(st, err)
			done(err)
		}
	})
}

func (s *Starts) finish(st *start, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st.state = Done
	if err != nil {
		st.state = Failed
	}
}

// State tells how far the hook of a container is.
func (s *Starts) State(id string) State {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := s.hooks[id]; st != nil {
		return st.state
	}
	return None
}

// Keep forgets the hooks of a pod's containers that are not among those that run, and
// calls off what is under way for them.
func (s *Starts) Keep(pod sandbox.Key, running map[string]bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, st := range s.hooks {
		if st.pod == pod && !running[id] {
			st.cancel()
			delete(s.hooks, id)
		}
	}
}

// Wait waits for the hooks under way, which end with the contexts that they began with.
func (s *Starts) Wait() { s.under.Wait() }
