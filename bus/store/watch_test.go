package store_test

import (
	"bytes"
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/store"
)

func TestWatch(t *testing.T) {
	_, s := open(t, bus.BucketState)
	ctx, cancel := context.WithCancel(deadline(t, 30*time.Second))
	a, b := bus.Key("desired.x.ns.a"), bus.Key("desired.x.ns.b")
	r1 := must[store.Revision](t)(s.Create(ctx, a, []byte("1")))
	r2 := must[store.Revision](t)(s.Create(ctx, b, []byte("1")))
	must[store.Revision](t)(s.Delete(ctx, b, r2))

	events := s.Watch(ctx, nil, "desired.x.>", "assigned.n1.>")
	if e := next(t, events); e.Key != a || string(e.Value) != "1" || e.Revision != r1 {
		t.Fatalf("listed: %+v", e)
	}
	if e := next(t, events); !e.Synced || e.Revision != 3 {
		t.Fatalf("mark: %+v", e)
	}
	must[store.Revision](t)(s.Create(ctx, "current.x.ns.a", []byte("unwatched")))
	r := must[store.Revision](t)(s.Apply(ctx,
		store.Op{Key: a, Revision: r1}, store.Op{Key: b, Value: []byte("2")}, store.Op{Key: "assigned.n1.ns.p", Value: []byte("3")}))
	for i, want := range []store.Entry{{Key: a, Deleted: true}, {Key: b}, {Key: "assigned.n1.ns.p"}} {
		e := next(t, events)
		if e.Key != want.Key || e.Deleted != want.Deleted || e.Revision != r-2+store.Revision(i) {
			t.Errorf("event %d: %+v", i, e)
		}
	}
	cancel()
	until(t, "the channel is closed", func() bool {
		select {
		case _, ok := <-events:
			return !ok
		default:
			return false
		}
	})
}

// TestWatchWhileAway: what changes while the watcher's connection is away arrives
// afterwards, a key that vanished without a marker included.
func TestWatchWhileAway(t *testing.T) {
	b, s := open(t, bus.BucketState)
	ctx := deadline(t, 60*time.Second)
	p := b.Proxy(t)
	events := store.New(p.Conn(t, "system:controller"), bus.BucketState).Watch(ctx, nil, "desired.>")
	next(t, events)
	keys := []bus.Key{"desired.x.ns.a", "desired.x.ns.b", "desired.x.ns.c"}
	for _, k := range keys {
		must[store.Revision](t)(s.Create(ctx, k, []byte("1")))
		next(t, events)
	}
	p.Down()
	must[store.Revision](t)(s.Update(ctx, keys[0], []byte("2"), 1))
	must[store.Revision](t)(s.Delete(ctx, keys[1], 2))
	js := must[jetstream.JetStream](t)(jetstream.New(b.Conn(t, "admin").NC))
	stream := must[jetstream.Stream](t)(js.Stream(ctx, "KV_state"))
	if err := stream.Purge(ctx, jetstream.WithPurgeSubject("$KV.state."+string(keys[2]))); err != nil {
		t.Fatal(err)
	}
	p.Up()
	if e := next(t, events); e.Key != keys[0] || string(e.Value) != "2" {
		t.Errorf("changed: %+v", e)
	}
	if e := next(t, events); e.Key != keys[1] || !e.Deleted || e.Revision != 5 {
		t.Errorf("deleted: %+v", e)
	}
	if e := next(t, events); e.Key != keys[2] || !e.Deleted {
		t.Errorf("vanished: %+v", e)
	}
}

// TestWatchNewBucket: the bucket is deleted and made again while the watch runs.
func TestWatchNewBucket(t *testing.T) {
	b, s := open(t, bus.BucketState)
	ctx := deadline(t, 60*time.Second)
	p := b.Proxy(t)
	events := store.New(p.Conn(t, "system:controller"), bus.BucketState).Watch(ctx, nil, ">")
	next(t, events)
	for _, k := range []bus.Key{"desired.x._.a", "desired.x._.b", "desired.x._.c"} {
		must[store.Revision](t)(s.Create(ctx, k, []byte("old")))
		next(t, events)
	}
	p.Down()
	js := must[jetstream.JetStream](t)(jetstream.New(b.Conn(t, "admin").NC))
	if err := js.DeleteStream(ctx, "KV_state"); err != nil {
		t.Fatal(err)
	}
	b.Provisioned(t)
	must[store.Revision](t)(s.Create(ctx, "desired.x._.b", []byte("new")))
	p.Up()
	got := map[bus.Key]store.Entry{}
	for range 3 {
		e := next(t, events)
		got[e.Key] = e.Entry
	}
	if e := got["desired.x._.b"]; string(e.Value) != "new" || e.Revision != 1 || !got["desired.x._.a"].Deleted || !got["desired.x._.c"].Deleted {
		t.Errorf("after the bucket was made again: %+v", got)
	}
	must[store.Revision](t)(s.Create(ctx, "desired.x._.d", []byte("live")))
	if e := next(t, events); e.Key != "desired.x._.d" || e.Revision != 2 {
		t.Errorf("live: %+v", e)
	}
}

// TestWatchSlowReader: far more changes than are held for a reader that does not
// read. It ends up with the newest value of every key.
func TestWatchSlowReader(t *testing.T) {
	b, s := open(t, bus.BucketState)
	ctx := deadline(t, 60*time.Second)
	events := store.New(b.Conn(t, "system:controller"), bus.BucketState).Watch(ctx, nil, ">")
	next(t, events)
	const keys, rounds, size = 100, 60, 10 << 10 // 60 MB
	var rev store.Revision
	for round := range rounds {
		ops := make([]store.Op, keys)
		for i := range ops {
			v := append(bytes.Repeat([]byte("x"), size), byte(round))
			ops[i] = store.Op{Key: bus.Key(fmt.Sprintf("desired.x._.k%d", i)), Value: v}
			if round > 0 {
				ops[i].Revision = rev - keys + store.Revision(i) + 1
			}
		}
		rev = must[store.Revision](t)(s.Apply(ctx, ops...))
	}
	newest := map[bus.Key]byte{}
	total := 0
	done := func() bool {
		for _, v := range newest {
			if v != rounds-1 {
				return false
			}
		}
		return len(newest) == keys
	}
	for !done() {
		e := next(t, events)
		newest[e.Key] = e.Value[size]
		total++
	}
	if total >= keys*rounds {
		t.Errorf("%d events: nothing was dropped, so the test shows nothing", total)
	}
}

// TestWatchFindsSilentLoss: changes that never come over the wire, on a connection
// that never breaks, are found by looking now and then.
func TestWatchFindsSilentLoss(t *testing.T) {
	t.Run("in the stream", func(t *testing.T) { findSilentLoss(t, nil) })
	t.Run("by asking", func(t *testing.T) {
		l := &counting{}
		findSilentLoss(t, l)
		// The first one, one for the loss, and one when it is loud again should that look like a loss.
		if n := l.lists.Load(); n < 2 || n > 3 {
			t.Errorf("%d lists", n)
		}
	})
}

// counting is a lister that can be asked.
type counting struct {
	*store.Store
	lists, asked atomic.Int64
}

func (c *counting) List(ctx context.Context, filters ...string) ([]store.Entry, store.Revision, error) {
	c.lists.Add(1)
	return c.Store.List(ctx, filters...)
}

func (c *counting) Newer(ctx context.Context, since store.Revision, filters ...string) (newer, last store.Revision, err error) {
	c.asked.Add(1)
	return c.Store.Newer(ctx, since, filters...)
}

func findSilentLoss(t *testing.T, l *counting) {
	b, s := open(t, bus.BucketState)
	ctx := deadline(t, 60*time.Second)
	watching := store.New(b.Conn(t, "system:controller"), bus.BucketState)
	watching.SetIdle(50 * time.Millisecond)
	var lister store.Lister
	if l != nil {
		l.Store, lister = s, l
	}
	events := watching.Watch(ctx, lister, "desired.x.>")
	next(t, events)
	if l != nil {
		until(t, "it has asked a few times", func() bool { return l.asked.Load() > 3 })
		if n := l.lists.Load(); n != 1 {
			t.Fatalf("%d lists, and nothing has changed", n)
		}
	}
	must[store.Revision](t)(s.Create(ctx, "desired.y._.a", []byte("unwatched")))
	progress := func() bool {
		select {
		case e := <-events:
			return e.Progress && e.Revision == 1
		default:
			return false
		}
	}
	until(t, "the watch knows that nothing it watches changed", progress)

	js := must[jetstream.JetStream](t)(jetstream.New(b.Conn(t, "admin").NC))
	stream := must[jetstream.Stream](t)(js.Stream(ctx, "KV_state"))
	config := stream.CachedInfo().Config
	config.RePublish = nil
	must[jetstream.Stream](t)(js.UpdateStream(ctx, config))
	must[store.Revision](t)(s.Create(ctx, "desired.x._.a", []byte("silent")))
	if e := next(t, events); e.Key != "desired.x._.a" || string(e.Value) != "silent" {
		t.Errorf("found: %+v", e)
	}
	b.Provisioned(t) // puts the configuration right
	must[store.Revision](t)(s.Create(ctx, "desired.x._.b", []byte("loud")))
	if e := next(t, events); e.Key != "desired.x._.b" {
		t.Errorf("after provisioning again: %+v", e)
	}
}

// TestWatchLongList: a first list that is longer than what a watch holds, of keys that are written all the
// while, more often than it holds. It comes once, is marked as a list until it is whole, and tells of every key.
func TestWatchLongList(t *testing.T) {
	_, s := open(t, bus.BucketState)
	s.SetMany(0)
	ctx := deadline(t, 60*time.Second)
	const n = 9_000
	ops := make([]store.Op, n)
	for i := range ops {
		ops[i] = store.Op{Key: bus.Key(fmt.Sprintf("desired.pods.ns.o%d", i)), Value: []byte("v")}
	}
	last := must[store.Revision](t)(s.Apply(ctx, ops...))
	events := s.Watch(ctx, nil, ">")
	first := next(t, events)
	// While the reader stands still the list does as well. What is written is more than waits for a list.
	for range 2 {
		for i := range ops {
			ops[i].Revision = last - n + 1 + store.Revision(i)
		}
		last = must[store.Revision](t)(s.Apply(ctx, ops...))
	}
	known, marks := map[bus.Key]store.Revision{first.Key: first.Revision}, 0
	for {
		e := next(t, events)
		if e.Synced || e.Progress {
			marks++
			if e.Revision < last {
				continue
			}
			break
		}
		if e.Revision <= known[e.Key] || e.Listed != (marks == 0) {
			t.Fatalf("%s: %+v after %d marks, %d was known", e.Key, e, marks, known[e.Key])
		}
		known[e.Key] = e.Revision
	}
	if len(known) != n || marks != 1 {
		t.Errorf("%d keys of %d after %d marks", len(known), n, marks)
	}
	for i, o := range ops {
		if want := last - n + 1 + store.Revision(i); known[o.Key] != want {
			t.Fatalf("%s is known at %d, it is at %d", o.Key, known[o.Key], want)
		}
	}
	must[store.Revision](t)(s.Create(ctx, "desired.pods.ns.live", []byte("v")))
	if e := next(t, events); e.Key != "desired.pods.ns.live" || e.Listed {
		t.Errorf("after the list: %+v, and no other list", e)
	}
}
