package lease

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/store"
)

// A crashed leader is succeeded after at most ttl, one that ends cleanly at once.
const (
	ttl   = 5 * time.Second
	renew = ttl / 3
)

// safety is how long before the server's expiry a holder gives up: room for a
// renewal's way to the server and for clocks of slightly different speed.
const safety = time.Second

// Lead runs f each time this process becomes the leader of service, with a
// context that is cancelled when leadership is lost, and waits for f to return
// before trying again. It returns when ctx ends, or with f's error if f failed
// while leading. id names this replica. A clean end releases the lease at once.
func Lead(ctx context.Context, conn *bus.Conn, service, id string, f func(ctx context.Context) error) error {
	l := &leader{s: store.New(conn, bus.BucketLeases), key: bus.LeaderLeaseKey(service), id: []byte(id)}
	changes := l.s.Watch(ctx, nil, string(l.key))
	for failures := 0; ctx.Err() == nil; {
		rev, renewed, err := l.acquire(ctx)
		if err != nil {
			wait := ttl/2 + rand.N(ttl)
			if !errors.Is(err, store.ErrConflict) && ctx.Err() == nil {
				// The bus is away, or not provisioned yet: nobody leads.
				conn.Log.Warn("cannot ask for leadership", "service", service, "error", err)
				wait = min(50*time.Millisecond<<min(failures, 7), ttl) + rand.N(50*time.Millisecond)
				failures++
			}
			l.await(ctx, wait, changes)
			continue
		}
		failures = 0
		conn.Log.Info("leading", "service", service, "id", id)
		if err := l.hold(ctx, rev, renewed, changes, f); err != nil {
			return fmt.Errorf("lead %s: %w", service, err)
		}
		conn.Log.Info("no longer leading", "service", service, "id", id)
	}
	return ctx.Err()
}

type leader struct {
	s   *store.Store
	key bus.Key
	id  []byte
}

// acquire makes the lease. It returns the time from which the TTL surely had not started.
func (l *leader) acquire(ctx context.Context) (store.Revision, time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, ttl)
	defer cancel()
	start := time.Now()
	rev, err := l.s.Apply(ctx, store.Op{Key: l.key, Value: l.id, TTL: ttl})
	return rev, start, err
}

// await waits until the lease is gone, but, since a notice can be lost, not for ever.
func (l *leader) await(ctx context.Context, wait time.Duration, changes <-chan store.Event) {
	t := time.NewTimer(wait)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			return
		case e, ok := <-changes:
			if !ok || e.Deleted {
				return
			}
		}
	}
}

// hold runs f and renews the lease until f returns or the lease is lost.
func (l *leader) hold(ctx context.Context, rev store.Revision, renewed time.Time, changes <-chan store.Event, f func(context.Context) error) error {
	led, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan error, 1)
	go func() { done <- f(led) }()

	tick := time.NewTicker(renew)
	defer tick.Stop()
	for {
		expiry := time.NewTimer(time.Until(renewed.Add(ttl - safety)))
		select {
		case err := <-done:
			expiry.Stop()
			l.release(rev)
			if led.Err() != nil {
				return nil
			}
			return err
		case <-expiry.C:
			return l.lost(stop, done)
		case _, ok := <-changes: // drained, so that the watch does not fall behind
			if !ok {
				changes = nil
			}
		case <-tick.C:
			start := time.Now()
			next, err := l.renew(ctx, rev, renewed)
			switch {
			case err == nil:
				rev, renewed = next, start
			case errors.Is(err, store.ErrConflict):
				expiry.Stop()
				return l.lost(stop, done)
			}
		}
		expiry.Stop()
	}
}

func (l *leader) renew(ctx context.Context, rev store.Revision, renewed time.Time) (store.Revision, error) {
	ctx, cancel := context.WithDeadline(ctx, renewed.Add(ttl-safety))
	defer cancel()
	return l.s.Apply(ctx, store.Op{Key: l.key, Value: l.id, Revision: rev, TTL: ttl})
}

// lost cancels f and waits for it: two leaders' work must not overlap here.
func (l *leader) lost(stop context.CancelFunc, done <-chan error) error {
	stop()
	_ = <-done
	return nil
}

// release gives the lease back, so that another replica leads at once. It is only
// a courtesy: if it fails, the lease expires.
func (l *leader) release(rev store.Revision) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, _ = l.s.Delete(ctx, l.key, rev)
}
