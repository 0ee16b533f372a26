//go:build linux

package up

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// goPercent is Go's own pace: garbage may grow as large as what lives.
	goPercent = 100
	// smallHeap is what lives in a process with little to do. There memory counts.
	smallHeap = 24 << 20
	// moreGarbage is how much garbage there may be beyond Go's own pace.
	moreGarbage = 256 << 20
	// paceEvery is how often the pace is looked at; a burst lasts longer.
	paceEvery = time.Second
)

// gcPercent is how much garbage, in percent of what lives, there may be before it is
// collected. A busy control plane spends a sixth of its processor time on collecting;
// twice the garbage halves that. An idle one stays small, and a very large one does
// not double what it has.
func gcPercent(live uint64) int {
	switch {
	case live < smallHeap:
		return goPercent
	case live <= moreGarbage:
		return 2 * goPercent
	}
	return goPercent + int(goPercent*moreGarbage/live)
}

// heap is this process's heap, or a test's.
type heap struct {
	live func() uint64
	set  func(percent int)
}

// processHeap is that of this process.
func processHeap() heap {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	return heap{
		live: func() uint64 {
			metrics.Read(sample)
			return sample[0].Value.Uint64()
		},
		set: func(percent int) { debug.SetGCPercent(percent) },
	}
}

// pace keeps the collector's pace at gcPercent until ctx ends, then at Go's own.
func (h heap) pace(ctx context.Context) {
	const slack = 10 // setting it stops the world for a moment
	now := goPercent
	tick := time.NewTicker(paceEvery)
	defer tick.Stop()
	for {
		if want := gcPercent(h.live()); want != now && (want <= now-slack || want >= now+slack) {
			now = want
			h.set(now)
		}
		select {
		case <-ctx.Done():
			if now != goPercent {
				h.set(goPercent)
			}
			return
		case <-tick.C:
		}
	}
}

// startPace paces the collector until the returned function is called. Whoever sets
// GOGC has decided otherwise.
func startPace(ctx context.Context, gogc string, h heap) (stop func()) {
	if gogc != "" {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.pace(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}
