// Package reconcile runs level-triggered reconcilers: a keyed queue, workers,
// retries with exponential back-off and jitter, in one place. It is a library that
// services share, not a service.
//
// It reads and writes nothing itself. What always holds: one key is reconciled by
// one worker at a time; a key that was added while it ran runs again; nothing is
// retried in a tight loop; a panic of a reconciler is an error of that key.
package reconcile

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"

	"k8s.io/client-go/util/workqueue"
)

const (
	firstRetry = 10 * time.Millisecond
	lastRetry  = 30 * time.Second
	// quietRetries is how many failures in a row are expected of a healthy key:
	// conflicts with another writer. Only more than that is worth a warning.
	quietRetries = 3
)

// Func reconciles one key and says when to come back (0: when something changes).
// It is told nothing about the event that triggered it.
type Func[K comparable] func(ctx context.Context, key K) (after time.Duration, err error)

// Loop is a queue of keys and the workers that reconcile them.
type Loop[K comparable] struct {
	workers int // at most
	log     *slog.Logger
	f       Func[K]
	queue   workqueue.TypedInterface[K]
	later   later[K] // adds to queue
	retries workqueue.TypedRateLimiter[K]

	mu      sync.Mutex
	running int // workers
	idle    int // of them, those that wait for a key
	group   sync.WaitGroup
}

// New returns a loop named name (for logs) with at most the given number of workers. There are as
// many as have something to do and one or two to spare: there may be thousands of loops in one
// process, and a loop that may have hundreds of workers mostly needs none.
func New[K comparable](name string, workers int, log *slog.Logger, f Func[K]) *Loop[K] {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	queue := workqueue.NewTyped[K]()
	return &Loop[K]{
		workers: max(workers, 1),
		log:     log.With("loop", name),
		f:       f,
		queue:   queue,
		later:   later[K]{add: queue.Add},
		retries: jittered[K]{workqueue.NewTypedItemExponentialFailureRateLimiter[K](firstRetry, lastRetry)},
	}
}

// Add queues key now; AddAfter after d. Both coalesce.
func (l *Loop[K]) Add(key K) { l.queue.Add(key) }

// AddAfter queues key once d has passed.
func (l *Loop[K]) AddAfter(key K, d time.Duration) { l.later.after(key, d) }

// Run works until ctx ends and waits for the workers.
func (l *Loop[K]) Run(ctx context.Context) error {
	defer context.AfterFunc(ctx, l.queue.ShutDown)()
	l.mu.Lock()
	l.running++
	l.mu.Unlock()
	l.work(ctx, true) // here: one goroutine less for each loop
	l.group.Wait()
	l.later.end()
	return ctx.Err()
}

// spare is how many workers may wait for a key.
const spare = 2

// work reconciles keys until the queue has been shut down, or enough others wait for keys; the
// one that stays does not end before.
func (l *Loop[K]) work(ctx context.Context, stays bool) {
	for {
		l.mu.Lock()
		if l.idle >= spare && !stays {
			l.running--
			l.mu.Unlock()
			return
		}
		l.idle++
		l.mu.Unlock()
		key, shutdown := l.queue.Get()
		l.mu.Lock()
		l.idle--
		if l.idle == 0 && l.running < l.workers && !shutdown {
			l.running++
			l.group.Go(func() { l.work(ctx, false) })
		}
		l.mu.Unlock()
		if shutdown {
			return
		}
		l.one(ctx, key)
	}
}

// one reconciles one key.
func (l *Loop[K]) one(ctx context.Context, key K) {
	defer l.queue.Done(key)
	if ctx.Err() != nil {
		return
	}
	after, err := l.call(ctx, key)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		level := slog.LevelDebug
		if l.retries.NumRequeues(key) >= quietRetries {
			level = slog.LevelWarn
		}
		l.log.Log(ctx, level, "reconcile failed", "key", key, "retries", l.retries.NumRequeues(key), "error", err)
		l.later.after(key, l.retries.When(key))
		return
	}
	l.retries.Forget(key)
	if after > 0 {
		l.later.after(key, after)
	}
}

// call keeps one object that trips a reconciler from taking all others down.
func (l *Loop[K]) call(ctx context.Context, key K) (after time.Duration, err error) {
	defer func() {
		if p := recover(); p != nil {
			l.log.Error("reconcile panicked", "key", key, "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("reconcile %v: panic: %v", key, p)
		}
	}()
	return l.f(ctx, key)
}

// jittered spreads a limiter's delays over their upper half, so that keys which
// failed together do not come back together.
type jittered[K comparable] struct {
	workqueue.TypedRateLimiter[K]
}

func (j jittered[K]) When(key K) time.Duration {
	d := j.TypedRateLimiter.When(key)
	return d/2 + rand.N(d/2+1)
}
