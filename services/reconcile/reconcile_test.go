package reconcile

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestLoop(t *testing.T) {
	tests := map[string]struct {
		f    func(n int) (time.Duration, error)
		runs int
		span [2]time.Duration // least and most time from the first run to the last
	}{
		"success runs once":   {func(int) (time.Duration, error) { return 0, nil }, 1, [2]time.Duration{0, 0}},
		"comes back as asked": {func(n int) (time.Duration, error) { return time.Duration(max(0, 3-n)) * time.Second, nil }, 3, [2]time.Duration{3 * time.Second, 3*time.Second + 100*time.Millisecond}},
		"retries with growing delays": {func(n int) (time.Duration, error) {
			if n < 6 {
				return 0, errors.New("not yet")
			}
			return 0, nil
		}, 6, [2]time.Duration{155 * time.Millisecond, 400 * time.Millisecond}},
		"a panic is an error": {func(n int) (time.Duration, error) {
			if n == 1 {
				panic("boom")
			}
			return 0, nil
		}, 2, [2]time.Duration{5 * time.Millisecond, 50 * time.Millisecond}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var runs atomic.Int32
				var first, last time.Time
				l := New("test", 1, nil, func(context.Context, string) (time.Duration, error) {
					last = time.Now()
					n := int(runs.Add(1))
					if n == 1 {
						first = last
					}
					return tt.f(n)
				})
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error, 1)
				go func() { done <- l.Run(ctx) }()
				l.Add("k")
				time.Sleep(time.Minute) // the bubble's clock, not the machine's
				cancel()
				if err := <-done; !errors.Is(err, context.Canceled) {
					t.Errorf("Run = %v", err)
				}
				if int(runs.Load()) != tt.runs {
					t.Errorf("ran %d times, want %d", runs.Load(), tt.runs)
				}
				if span := last.Sub(first); span < tt.span[0] || span > tt.span[1] {
					t.Errorf("spanned %v, want %v", span, tt.span)
				}
			})
		})
	}
}

func TestOneKeyIsNeverConcurrent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		busy := map[int]bool{}
		runs := map[int]int{}
		l := New("test", 4, nil, func(_ context.Context, key int) (time.Duration, error) {
			mu.Lock()
			if busy[key] {
				t.Errorf("key %d runs twice at once", key)
			}
			busy[key] = true
			runs[key]++
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			busy[key] = false
			mu.Unlock()
			return 0, nil
		})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- l.Run(ctx) }()
		for key := range 4 {
			l.Add(key)
		}
		time.Sleep(500 * time.Millisecond)
		for range 5 {
			l.Add(0) // added while it runs: exactly one more run
		}
		time.Sleep(10 * time.Second)
		cancel()
		<-done
		if runs[0] != 2 || runs[1] != 1 {
			t.Errorf("runs = %v", runs)
		}
	})
}

// TestWorkers: as many keys run at once as there may be workers, and of workers without a key
// no more than a few stay.
func TestWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 100
		var running atomic.Int32
		end := make(chan struct{})
		l := New("test", most, nil, func(context.Context, int) (time.Duration, error) {
			running.Add(1)
			defer running.Add(-1)
			<-end
			return 0, nil
		})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- l.Run(ctx) }()
		workers := func() int {
			synctest.Wait()
			l.mu.Lock()
			defer l.mu.Unlock()
			return l.running
		}
		if n := workers(); n != 1 {
			t.Errorf("%d workers without work", n)
		}
		for range 3 {
			for key := range 2 * most {
				l.Add(key)
			}
			if n := workers(); n != most || running.Load() != most {
				t.Errorf("%d workers, %d keys at once, want %d", n, running.Load(), most)
			}
			for range 2 * most {
				end <- struct{}{}
			}
			if n := workers(); n > spare+1 {
				t.Errorf("%d workers stay without work", n)
			}
		}
		cancel()
		<-done
	})
}

// TestLater: of several times for one key the earliest counts, each adds once, and nothing is
// added after the end.
func TestLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		begun, added := time.Now(), map[string][]time.Duration{}
		l := later[string]{add: func(k string) {
			mu.Lock()
			defer mu.Unlock()
			added[k] = append(added[k], time.Since(begun))
		}}
		at := func(k string, want ...time.Duration) {
			t.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if !slices.Equal(added[k], want) {
				t.Errorf("%s was added at %v, want %v", k, added[k], want)
			}
		}
		l.after("now", 0)
		at("now", 0)
		l.after("sooner", 3*time.Second)
		l.after("sooner", time.Second)
		l.after("sooner", 2*time.Second)
		l.after("again", time.Second)
		time.Sleep(time.Second)
		at("sooner", time.Second)
		l.after("again", time.Second)
		time.Sleep(time.Minute)
		at("sooner", time.Second)
		at("again", time.Second, 2*time.Second)
		l.after("never", time.Second)
		l.end()
		l.after("never", time.Second)
		time.Sleep(time.Minute)
		at("never")
		if len(l.waits) > 0 {
			t.Errorf("%d wait", len(l.waits))
		}
	})
}
