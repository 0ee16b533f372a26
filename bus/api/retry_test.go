package api

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestYield: who is refused for a crowd asks less often, and gives up no sooner.
func TestYield(t *testing.T) {
	for crowd, want := range map[bool][2]int{false: {8, 16}, true: {4, 7}} {
		synctest.Test(t, func(t *testing.T) {
			r, began, n := (&Client{RetryFor: 5 * time.Second}).retries(), time.Now(), 0
			for ; ; n++ {
				if crowd {
					r.yield()
				}
				if !r.wait(t.Context()) {
					break
				}
			}
			if took := time.Since(began); took < 5*time.Second || took > 11*time.Second || n < want[0] || n > want[1] {
				t.Errorf("crowd %t: %d attempts in %s, want %v", crowd, n, took, want)
			}
		})
	}
}
