//go:build linux

package volume

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// slowPatience is how long the pod's start waits for what another machine or a driver does
// before it lets other pods have their turn: who does not answer must not hold up the node.
const slowPatience = time.Second

// errMounting says that a volume is being made.
var errMounting = errors.New("it is being mounted, which takes a while")

// slow does what may take long, one thing at a time for a path.
type slow struct {
	patience time.Duration

	mu      sync.Mutex
	running map[string]*errand
	// failed are the errors of errands whose end nobody waited for, until somebody asks.
	failed  map[string]error
	stopped bool
	all     sync.WaitGroup
}

type errand struct {
	cancel context.CancelFunc
	done   chan struct{}
	err    error // once done is closed
	// late tells whether somebody went away without the result. Guarded by slow.mu.
	late bool
}

func newSlow() *slow {
	return &slow{patience: slowPatience, running: map[string]*errand{}, failed: map[string]error{}}
}

// do runs f for path unless that runs already, and waits a moment for its end; limit bounds f. Who
// went away without the result is told of the end by retry, and of an error by the next do.
func (r *slow) do(ctx context.Context, path string, limit time.Duration, retry func(), f func(context.Context) error) error {
	r.mu.Lock()
	if r.stopped { // nobody would wait for its end
		r.mu.Unlock()
		return errors.New("the agent is stopping")
	}
	if err := r.failed[path]; err != nil {
		delete(r.failed, path)
		r.mu.Unlock()
		return err
	}
	op, again := r.running[path]
	if !again {
		// The errand outlives the try to start the pod that asked for it.
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
		op = &errand{cancel: cancel, done: make(chan struct{})}
		r.running[path] = op
		r.all.Go(func() { r.run(limited, op, path, f, retry) })
	}
	r.mu.Unlock()
	if !again {
		patience := time.NewTimer(r.patience)
		defer patience.Stop()
		select {
		case <-op.done:
			return op.err
		case <-patience.C:
		case <-ctx.Done():
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-op.done:
		return op.err
	default:
		op.late = true
		return errMounting
	}
}

func (r *slow) run(ctx context.Context, op *errand, path string, f func(context.Context) error, retry func()) {
	defer op.cancel()
	err := f(ctx)
	r.mu.Lock()
	delete(r.running, path)
	op.err = err
	close(op.done)
	if op.late && err != nil {
		r.failed[path] = err
	}
	late := op.late
	r.mu.Unlock()
	if late {
		retry()
	}
}

// abandon ends what is under way below dir, and waits for its end as long as a killed
// command takes.
func (r *slow) abandon(dir string) error {
	prefix := dir + string(filepath.Separator)
	r.mu.Lock()
	var ops []*errand
	for path, op := range r.running {
		if strings.HasPrefix(path, prefix) {
			ops = append(ops, op)
		}
	}
	r.mu.Unlock()
	defer r.forget(prefix)
	deadline := time.NewTimer(2 * time.Second)
	defer deadline.Stop()
	for _, op := range ops {
		op.cancel()
		select {
		case <-op.done:
		case <-deadline.C:
			return fmt.Errorf("a mount below %s does not end", dir)
		}
	}
	return nil
}

// forget drops the errors of what was done below prefix.
func (r *slow) forget(prefix string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for path := range r.failed {
		if strings.HasPrefix(path, prefix) {
			delete(r.failed, path)
		}
	}
}

// stop ends all that is under way, and lets nothing begin.
func (r *slow) stop() {
	r.mu.Lock()
	r.stopped = true
	for _, op := range r.running {
		op.cancel()
	}
	r.mu.Unlock()
	r.all.Wait()
}
