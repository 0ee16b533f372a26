package lease

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/bustest"
	"github.com/skerry/skerry/bus/store"
)

// await receives from c or fails.
func await[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(30 * time.Second):
		t.Fatalf("timed out waiting for %s", what)
		panic("unreachable")
	}
}

func provisioned(t *testing.T) *bustest.Bus {
	t.Helper()
	b := bustest.Start(t)
	b.Provisioned(t)
	return b
}

// replica runs Lead until stopped; began and ended report its terms.
type replica struct {
	began, ended chan struct{}
	stop         context.CancelFunc
	done         chan error
}

func run(t *testing.T, conn *bus.Conn, id string, leading *atomic.Int32) *replica {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := &replica{began: make(chan struct{}, 8), ended: make(chan struct{}, 8), stop: cancel, done: make(chan error, 1)}
	go func() {
		r.done <- Lead(ctx, conn, "controller", id, func(ctx context.Context) error {
			if n := leading.Add(1); n != 1 {
				t.Errorf("%d leaders at once", n)
			}
			r.began <- struct{}{}
			<-ctx.Done()
			leading.Add(-1)
			r.ended <- struct{}{}
			return ctx.Err()
		})
	}()
	t.Cleanup(func() { cancel(); <-r.done })
	return r
}

func TestOneLeaderAndACleanHandover(t *testing.T) {
	b := provisioned(t)
	var leading atomic.Int32
	first := run(t, b.Conn(t, "a"), "a", &leading)
	await(t, first.began, "the first leader")
	second := run(t, b.Conn(t, "b"), "b", &leading)
	first.stop()
	start := time.Now()
	await(t, second.began, "the second leader")
	if took := time.Since(start); took > ttl/2 {
		t.Errorf("a clean handover took %s, as if the lease had to expire", took)
	}
}

// TestLostLeaseEndsTheTerm takes the lease away behind the leader's back.
func TestLostLeaseEndsTheTerm(t *testing.T) {
	b := provisioned(t)
	var leading atomic.Int32
	r := run(t, b.Conn(t, "a"), "a", &leading)
	await(t, r.began, "the leader")
	ctx := context.Background()
	s := store.New(b.Conn(t, "thief"), bus.BucketLeases)
	for {
		e, err := s.Get(ctx, bus.LeaderLeaseKey("controller"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err = s.Update(ctx, e.Key, []byte("thief"), e.Revision); err == nil {
			break
		} else if !errors.Is(err, store.ErrConflict) { // a renewal came between
			t.Fatal(err)
		}
	}
	await(t, r.ended, "the end of the term")
}

// TestLeadershipAfterARestart: the server forgets leases; somebody leads again.
func TestLeadershipAfterARestart(t *testing.T) {
	b := provisioned(t)
	var leading atomic.Int32
	r := run(t, b.Conn(t, "a"), "a", &leading)
	await(t, r.began, "the leader")
	b.Restart(t)
	b.Provisioned(t)
	await(t, r.ended, "the end of the term")
	await(t, r.began, "a new term")
}
