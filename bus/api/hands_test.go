package api

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// TestHands: everything is done, at the same time if need be; at most idleHands wait for more,
// and none once nothing more comes, which the bubble checks.
func TestHands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHands()
		for range 3 {
			var done atomic.Int32
			gate := make(chan struct{})
			const things = 3 * idleHands
			for range things {
				h.do(func() { <-gate; done.Add(1) })
			}
			synctest.Wait()
			if done.Load() != 0 {
				t.Fatal("something went past the gate")
			}
			close(gate)
			synctest.Wait()
			if done.Load() != things || len(h.free) != idleHands {
				t.Errorf("%d of %d done, %d wait", done.Load(), things, len(h.free))
			}
		}
		h.end()
	})
}

// deep needs some 16 KB of stack, as a create does.
func deep(n int) byte {
	var b [1024]byte
	b[n] = 1
	if n == 0 {
		return b[0]
	}
	return b[n] + deep(n-1)
}

func BenchmarkHands(b *testing.B) {
	h := newHands()
	defer h.end()
	for name, do := range map[string]func(f func()){"hands": h.do, "go": func(f func()) { go f() }} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				var all sync.WaitGroup
				for range 10 {
					all.Add(1)
					do(func() { defer all.Done(); deep(15) })
				}
				all.Wait()
			}
		})
	}
}
