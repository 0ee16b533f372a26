package api

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/schemas"
)

// TestTurns: one user's crowd does not keep another one waiting behind all of it.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTurns(1)
		first, err := s.acquire(t.Context(), "noisy")
		if err != nil {
			t.Fatal(err)
		}
		order := make(chan string, 20)
		queue := func(u bus.User, n int) {
			for i := range n {
				go func() {
					release, err := s.acquire(t.Context(), u)
					if err == nil {
						order <- fmt.Sprint(u)
						release()
					}
				}()
				synctest.Wait()
				_ = i
			}
		}
		queue("noisy", 5)
		queue("quiet", 2)
		first()
		synctest.Wait()
		got := ""
		for range 7 {
			got += (<-order)[:1]
		}
		if got != "nqnqnnn" {
			t.Errorf("the turns were %s", got)
		}
	})
}

// TestTurnsOfNodes: a thousand nodes are not a thousand turns before an operator's.
func TestTurnsOfNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTurns(1)
		first, err := s.acquire(t.Context(), "somebody")
		if err != nil {
			t.Fatal(err)
		}
		order := make(chan bus.User, 20)
		queue := func(u bus.User) {
			go func() {
				release, err := s.acquire(t.Context(), u)
				if err == nil {
					order <- u
					release()
				}
			}()
			synctest.Wait()
		}
		for i := range 9 {
			queue(bus.NodeUser(schemas.NodeName(fmt.Sprint("n", i))))
		}
		queue("admin")
		queue("admin")
		first()
		synctest.Wait()
		got := ""
		for range 11 {
			if u := <-order; u == "admin" {
				got += "a"
			} else {
				got += "n"
			}
		}
		if got != "nanannnnnnn" {
			t.Errorf("the turns were %s", got)
		}
	})
}

// TestTurnsGivenUp: who has gone is passed over, and no slot is lost with them.
func TestTurnsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTurns(1)
		first, err := s.acquire(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		failed := make(chan error, 1)
		go func() {
			_, err := s.acquire(ctx, "b")
			failed <- err
		}()
		synctest.Wait()
		cancel()
		if <-failed == nil {
			t.Error("it got its turn after all")
		}
		first()
		first() // freeing twice frees once
		again, err := s.acquire(t.Context(), "c")
		if err != nil {
			t.Fatal(err)
		}
		again()
		if s.free != 1 || len(s.rings[people])+len(s.rings[nodes]) != 0 || len(s.waiting) != 0 {
			t.Errorf("%d free, %v wait", s.free, s.rings)
		}
	})
}
