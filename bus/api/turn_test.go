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

// TestTurnsOfNobody: what nobody waits for is done at once if there is a slot, and in its turn otherwise.
func TestTurnsOfNobody(t *testing.T) {
	s := newTurns(1)
	var handed []func()
	hand := func(f func()) { handed = append(handed, f) }
	got := ""
	ask := func(u bus.User, name string) (free func()) {
		var slot func()
		s.do(u, hand, func(release func()) { got += name; slot = release })
		return func() { slot() }
	}
	first := ask("a", "1")
	second, third := ask("a", "2"), ask("b", "3")
	if got != "1" || len(handed) != 0 {
		t.Fatalf("with one slot %q are done, %d handed on", got, len(handed))
	}
	for _, free := range []func(){first, second, third} {
		free()
		free() // frees once
		if len(handed) > 0 {
			handed[0]()
			handed = handed[1:]
		}
	}
	if got != "123" || s.free != 1 || len(s.waiting) != 0 {
		t.Errorf("done: %q, %d free, %d wait", got, s.free, len(s.waiting))
	}
}
