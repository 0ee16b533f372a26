// Package pause waits, but not longer than a context allows.
//
// It reads the clock and writes nothing. What always holds: a pause that is over early has
// the context's error, and leaves no timer behind.
package pause

import (
	"context"
	"math/rand/v2"
	"time"
)

// For waits for d, or until ctx ends. Nothing is waited for if d is not positive.
func For(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// About is For with jitter, so that many who failed together do not come back together: it
// waits between half of d and one and a half.
func About(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	return For(ctx, d/2+rand.N(d))
}
