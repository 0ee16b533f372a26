//go:build linux

package up

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestRest: memory is given back once the process is at rest, and again only after more was
// taken.
func TestRest(t *testing.T) {
	held, used, cycles, routines, freed := uint64(500<<20), uint64(90<<20), uint64(7), uint64(500), 0
	h := heap{
		goroutines: func() uint64 { return routines }, used: func() uint64 { return used },
		held: func() uint64 { return held }, cycles: func() uint64 { return cycles },
		free: func() { freed, held, cycles = freed+1, 90<<20, cycles+1 },
	}
	var r rest
	for _, step := range []struct {
		what  string
		do    func()
		ticks int
		freed int
	}{
		{"just busy", func() {}, quiet, 0},
		{"at rest", func() {}, 1, 1},
		{"still at rest", func() {}, 5 * quiet, 1},
		{"a little more", func() { held += worthwhile - 1; cycles++ }, 5 * quiet, 1},
		{"much more, in use", func() { held, used = 1<<30, 700<<20; cycles++ }, 5 * quiet, 1},
		{"no longer in use", func() { used = 90 << 20; cycles++ }, quiet, 1},
		{"and at rest", func() {}, 1, 2},
		{"many goroutines", func() { routines = 9000; cycles++ }, 5 * quiet, 2},
		{"fewer of them", func() { routines = 5000 }, 5 * quiet, 2},
		{"half of them gone", func() { routines = 3000 }, 1, 3},
		{"no more of them gone", func() { routines = 2600 }, 5 * quiet, 3},
	} {
		step.do()
		for range step.ticks {
			r.settle(h)
		}
		if freed != step.freed {
			t.Fatalf("%s: memory was given back %d times, want %d", step.what, freed, step.freed)
		}
	}
	held += 1 << 30
	for range 5 * quiet { // never at rest
		cycles++
		r.settle(h)
	}
	if freed != 3 {
		t.Error("a busy process gave memory back")
	}
}

// TestRestRuns: it looks by itself, until it is stopped.
func TestRestRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		freed := 0
		one := func() uint64 { return 1 }
		stop := startRest(t.Context(), heap{held: func() uint64 { return 1 << 30 }, used: one, cycles: one, goroutines: one, free: func() { freed++ }})
		time.Sleep((quiet + 2) * lookEvery)
		synctest.Wait()
		stop()
		if freed != 1 {
			t.Errorf("memory was given back %d times, want once", freed)
		}
	})
}
