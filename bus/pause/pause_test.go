package pause_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skerry/skerry/bus/pause"
)

func TestFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		if err := pause.For(t.Context(), time.Minute); err != nil || time.Since(start) != time.Minute {
			t.Errorf("%v after %s", err, time.Since(start))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start = time.Now()
		if err := pause.For(ctx, time.Hour); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("%v after %s", err, time.Since(start))
		}
		if err := pause.For(ctx, 0); err == nil {
			t.Error("no error of a context that has ended")
		}
		if err := pause.For(t.Context(), -1); err != nil {
			t.Error(err)
		}
	})
}

func TestAbout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := map[time.Duration]bool{}
		for range 50 {
			start := time.Now()
			if err := pause.About(t.Context(), time.Second); err != nil {
				t.Fatal(err)
			}
			d := time.Since(start)
			if d < time.Second/2 || d >= 3*time.Second/2 {
				t.Errorf("waited %s", d)
			}
			seen[d] = true
		}
		if len(seen) < 40 {
			t.Errorf("%d different pauses of 50: there is no jitter", len(seen))
		}
		if err := pause.About(t.Context(), 0); err != nil {
			t.Error(err)
		}
	})
}
