//go:build linux

package up

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestGCPercent(t *testing.T) {
	for live, want := range map[uint64]int{
		0: 100, 12 << 20: 100, smallHeap - 1: 100, smallHeap: 200, 256 << 20: 200, 512 << 20: 150, 1 << 30: 125, 64 << 30: 100,
	} {
		if got := gcPercent(live); got != want {
			t.Errorf("%d MiB live: %d, want %d", live>>20, got, want)
		}
	}
	for live := uint64(smallHeap); live < 16<<30; live += 7 << 20 {
		if more := live * uint64(gcPercent(live)-goPercent) / 100; more > moreGarbage {
			t.Fatalf("%d MiB live: %d MiB more garbage than by Go's own pace", live>>20, more>>20)
		}
	}
}

func TestPaceFollowsTheHeap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lives := []uint64{10 << 20, 100 << 20, 120 << 20, 512 << 20, 530 << 20, 100 << 20}
		var set []int
		h := heap{
			live: func() uint64 {
				now := lives[0]
				if len(lives) > 1 {
					lives = lives[1:]
				}
				return now
			},
			set: func(percent int) { set = append(set, percent) },
		}
		stop := startPace(t.Context(), "", h)
		time.Sleep(8 * paceEvery)
		synctest.Wait()
		stop()
		if want := []int{200, 150, 200, 100}; !slices.Equal(set, want) {
			t.Errorf("set %v, want %v", set, want)
		}
	})
}

func TestPaceLeavesGOGCAlone(t *testing.T) {
	h := heap{live: func() uint64 { return 1 << 30 }, set: func(p int) { t.Errorf("set to %d", p) }}
	startPace(t.Context(), "50", h)()
}
