// Package reconcile runs level-triggered reconcilers: a keyed queue, workers,
// retries with exponential back-off and jitter, in one place. It is a library that
// services share, not a service.
//
// What always holds: one key is reconciled by one worker at a time; a key that was
// added while it ran runs again; nothing is retried in a tight loop.
package reconcile

import (
	"context"
	"log/slog"
	"time"
)

// Func reconciles one key and says when to come back (0: when something changes).
// It is told nothing about the event that triggered it.
type Func[K comparable] func(ctx context.Context, key K) (after time.Duration, err error)

// Loop is a queue of keys and the workers that reconcile them.
type Loop[K comparable] struct{}

// New returns a loop named name (for logs) with the given number of workers.
func New[K comparable](name string, workers int, log *slog.Logger, f Func[K]) *Loop[K] {
	panic("skeleton")
}

// Add queues key now; AddAfter after d. Both coalesce.
func (l *Loop[K]) Add(key K) { panic("skeleton") }

// AddAfter queues key once d has passed.
func (l *Loop[K]) AddAfter(key K, d time.Duration) { panic("skeleton") }

// Run works until ctx ends and waits for the workers.
func (l *Loop[K]) Run(ctx context.Context) error { panic("skeleton") }
