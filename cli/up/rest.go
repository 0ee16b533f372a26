//go:build linux

package up

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// lookEvery is how often the process looks at its memory. After quiet times in a row
	// in which nothing was collected, memory is given back if there is as much as is
	// worthwhile more than what was kept last, and more than half as much as is in use.
	lookEvery  = time.Second
	quiet      = 10
	worthwhile = 64 << 20
	// fewGoroutines are too few to matter: beyond them, half of them gone is worth it too,
	// since nobody knows yet what they have left.
	fewGoroutines = 1000
)

// heap is this process's heap, or a test's.
type heap struct {
	// held is how much memory the process holds, used how much of it was in use when it last
	// collected, cycles how often it did, and goroutines how many there are.
	held, used, cycles, goroutines func() uint64
	// free collects, and gives back to the system what is free then.
	free func()
}

// processHeap is that of this process.
func processHeap() heap {
	read := func(name string) func() uint64 {
		sample := []metrics.Sample{{Name: name}}
		return func() uint64 {
			metrics.Read(sample)
			return sample[0].Value.Uint64()
		}
	}
	all, released := read("/memory/classes/total:bytes"), read("/memory/classes/heap/released:bytes")
	live, stacks := read("/gc/heap/live:bytes"), read("/memory/classes/heap/stacks:bytes")
	return heap{
		held:   func() uint64 { return all() - released() },
		used:   func() uint64 { return live() + stacks() },
		cycles: read("/gc/cycles/total:gc-cycles"), goroutines: read("/sched/goroutines:goroutines"),
		free: func() {
			debug.FreeOSMemory()
			debug.FreeOSMemory() // pools let go of what they hold at the second collection
		},
	}
}

// rest is what a process has seen of itself since it was last busy.
type rest struct {
	cycles uint64
	still  int    // how often in a row it had collected nothing
	kept   uint64 // what it held after it gave memory back
	most   uint64 // goroutines since then
}

// settle gives memory back that a burst has left behind. Without it that would take minutes:
// what allocates nothing collects nothing, so that all that has ended meanwhile still counts,
// and the runtime goes slowly about what is free.
func (r *rest) settle(h heap) {
	if n := h.cycles(); n != r.cycles {
		r.cycles, r.still = n, 0
	}
	held, now := h.held(), h.goroutines()
	r.kept, r.most = min(r.kept, held), max(r.most, now)
	idle := held > r.kept+worthwhile && held > 3*h.used()/2+worthwhile
	if r.still++; r.still <= quiet || !idle && r.most < 2*now+fewGoroutines {
		return
	}
	h.free()
	r.cycles, r.still, r.kept, r.most = h.cycles(), 0, h.held(), now
}

// startRest has memory given back until the returned function is called.
func startRest(ctx context.Context, h heap) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		var r rest
		tick := time.NewTicker(lookEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				r.settle(h)
			}
		}
	}()
	return func() { cancel(); <-done }
}
