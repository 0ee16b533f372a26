package store_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/bustest"
	"github.com/skerry/skerry/bus/store"
)

// reacher answers requests with the revision that its watch has to come to.
func reacher(t *testing.T, conn *bus.Conn) {
	t.Helper()
	s := store.New(conn, bus.BucketState)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	events := s.Watch(ctx, nil, ">")
	synced := make(chan struct{})
	running.Go(func() {
		for e := range events {
			if e.Synced {
				close(synced)
			}
		}
	})
	<-synced
	running.Go(func() {
		_ = conn.Respond(ctx, "reach", "reach", 8, func(ctx context.Context, _ string, _ []byte) []byte {
			rev, err := s.Reach(ctx)
			if err != nil {
				return []byte(err.Error())
			}
			return strconv.AppendUint(nil, uint64(rev), 10)
		})
	})
	t.Cleanup(func() { cancel(); running.Wait() })
	until(t, "requests are answered", func() bool {
		_, err := ask(ctx, conn)
		return err == nil
	})
}

// ask returns what the reacher says to a request.
func ask(ctx context.Context, c *bus.Conn) (store.Revision, error) {
	b, err := c.Request(ctx, "reach", nil)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(string(b), 10, 64)
	return store.Revision(n), err
}

// asked counts the requests for the stream's last revision.
func asked(t *testing.T, b *bustest.Bus) *atomic.Int64 {
	t.Helper()
	var n atomic.Int64
	c := b.Conn(t, "admin")
	must[*nats.Subscription](t)(c.NC.Subscribe("$JS.API.STREAM.INFO.KV_state", func(*nats.Msg) { n.Add(1) }))
	if err := c.NC.Flush(); err != nil {
		t.Fatal(err)
	}
	return &n
}

// TestReach: whoever was told that a write is done and then asks hears of a revision that
// includes it, while others write; in the server's process without asking the stream.
func TestReach(t *testing.T) {
	for name, inside := range map[string]bool{"in the server's process": true, "elsewhere": false} {
		t.Run(name, func(t *testing.T) {
			b, _ := open(t, bus.BucketState)
			conn := b.Conn
			if inside {
				conn = b.Inside
			}
			reacher(t, conn(t, "system:apiserver"))
			n := asked(t, b)
			ctx := deadline(t, 30*time.Second)
			var all sync.WaitGroup
			for w := range 6 {
				from := b.Conn
				if w%2 == 0 {
					from = b.Inside
				}
				writer, asker := store.New(from(t, "system:scheduler"), bus.BucketState), from(t, "admin")
				all.Go(func() {
					for i := range 150 {
						rev, err := writer.Create(ctx, bus.Key(fmt.Sprintf("assigned.n%d.ns.p%d", w, i)), []byte("x"))
						if err != nil {
							t.Error(err)
							return
						}
						if got, err := ask(ctx, asker); err != nil || got < rev {
							t.Errorf("heard of %d after a write at %d: %v", got, rev, err)
							return
						}
					}
				})
			}
			all.Wait()
			if got := n.Load(); inside != (got == 0) {
				t.Errorf("the stream was asked %d times", got)
			}
		})
	}
}

// TestReachAcrossConnections: what was written while the watch's connection was away counts,
// also before the watch has been told: others that are told first take their time.
func TestReachAcrossConnections(t *testing.T) {
	b, _ := open(t, bus.BucketState)
	conn := b.Inside(t, "system:apiserver")
	reacher(t, conn)
	var turn sync.Mutex
	for range 8 {
		defer conn.OnReconnect(func() { turn.Lock(); defer turn.Unlock() })()
	}
	writer, asker := store.New(b.Conn(t, "system:scheduler"), bus.BucketState), b.Conn(t, "admin")
	ctx := deadline(t, 60*time.Second)
	for i := range 10 {
		turn.Lock()
		b.Kick(t)
		var rev store.Revision
		until(t, "a write is done", func() (done bool) {
			var err error
			rev, err = writer.Create(ctx, bus.Key(fmt.Sprintf("assigned.n._.p%d", i)), []byte("x"))
			return err == nil || errors.Is(err, store.ErrConflict)
		})
		until(t, "a request is answered", func() bool {
			got, err := ask(ctx, asker)
			if err == nil && got < rev {
				t.Errorf("heard of %d after a write at %d", got, rev)
			}
			return err == nil
		})
		turn.Unlock()
	}
}
