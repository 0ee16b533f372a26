package clustertest

import (
	"context"
	"sort"
	"time"

	apiequality "k8s.io/apimachinery/pkg/api/equality"

	"github.com/skerry/skerry/bus/view"
	"github.com/skerry/skerry/schemas"
)

// Controller is what every controller's folder provides.
type Controller interface {
	Keys(ch view.Change) []schemas.Ref
	Reconcile(ctx context.Context, key schemas.Ref) (time.Duration, error)
}

// maxSteps bounds a run: a controller that never comes to rest is at fault.
const maxSteps = 20_000

type work struct {
	controller int
	key        schemas.Ref
}

// Runner runs controllers over a world, one reconciliation at a time.
type Runner struct {
	w           *World
	controllers []Controller
	queue       []work
	queued      map[work]bool
	timers      map[work]time.Time
	// Errors are what reconciliations failed with; they are tried again.
	Errors []error
	// After each step, what must always hold is checked.
	Check func()
}

// Runner returns a runner; all that exists is new to the controllers.
func (w *World) Runner(controllers ...Controller) *Runner {
	return &Runner{w: w, controllers: controllers, queued: map[work]bool{}, timers: map[work]time.Time{}}
}

// Wake queues a key of the i-th controller.
func (r *Runner) Wake(i int, key schemas.Ref) {
	k := work{i, key}
	if !r.queued[k] {
		r.queued[k] = true
		r.queue = append(r.queue, k)
	}
}

// Settle reconciles until nothing is left to do at this time.
func (r *Runner) Settle() {
	r.w.T.Helper()
	for steps := 0; r.Step(); steps++ {
		if steps > maxSteps {
			r.w.T.Fatalf("the controllers do not come to rest; last error: %v", last(r.Errors))
		}
	}
}

// Step does one reconciliation, in random order; false if there is none to do.
func (r *Runner) Step() bool {
	r.w.T.Helper()
	r.take()
	if len(r.queue) == 0 {
		return false
	}
	i := r.w.Rand.IntN(len(r.queue))
	k := r.queue[i]
	r.queue = append(r.queue[:i], r.queue[i+1:]...)
	delete(r.queued, k)
	after, err := r.controllers[k.controller].Reconcile(context.Background(), k.key)
	switch {
	case err != nil:
		r.Errors = append(r.Errors, err)
		if len(r.Errors) > maxSteps {
			r.w.T.Fatalf("too many errors; last: %v", err)
		}
		r.Wake(k.controller, k.key)
	case after > 0:
		r.timers[k] = r.w.Now().Add(after)
	}
	if r.Check != nil {
		r.Check()
	}
	return true
}

// take turns changes into keys.
func (r *Runner) take() {
	r.w.mu.Lock()
	changes := r.w.changes
	r.w.changes = nil
	r.w.mu.Unlock()
	for _, ch := range changes {
		for i, c := range r.controllers {
			for _, key := range c.Keys(ch) {
				r.Wake(i, key)
			}
		}
	}
}

// Advance moves the clock on, stopping at each timer, and settles.
func (r *Runner) Advance(d time.Duration) {
	r.w.T.Helper()
	r.Settle()
	end := r.w.Now().Add(d)
	for {
		due := r.nextTimer()
		if due.IsZero() || due.After(end) {
			break
		}
		r.w.setNow(due)
		for k, at := range r.timers {
			if !at.After(due) {
				delete(r.timers, k)
				r.Wake(k.controller, k.key)
			}
		}
		sort.Slice(r.queue, func(i, j int) bool { return r.queue[i].key.String() < r.queue[j].key.String() })
		r.Settle()
	}
	r.w.setNow(end)
}

func (r *Runner) nextTimer() (next time.Time) {
	for _, at := range r.timers {
		if next.IsZero() || at.Before(next) {
			next = at
		}
	}
	return next
}

func (w *World) setNow(t time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if t.After(w.now) {
		w.now = t
	}
}

func last(errs []error) error {
	if len(errs) == 0 {
		return nil
	}
	return errs[len(errs)-1]
}

func sameConclusion(a, b schemas.Object) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return apiequality.Semantic.DeepEqual(a, b)
}
