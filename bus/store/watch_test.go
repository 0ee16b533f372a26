package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/bustest"
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

// mirror is what a watcher makes of its events, checked as they come.
type mirror struct {
	values map[bus.Key]store.Entry
	upTo   store.Revision
	synced bool
}

func (m *mirror) take(t *testing.T, e store.Event, written func(store.Entry) bool) {
	m.upTo = max(m.upTo, e.Revision)
	if e.Synced || e.Progress {
		m.synced = m.synced || e.Synced
		return
	}
	if last, ok := m.values[e.Key]; ok && e.Revision <= last.Revision {
		t.Errorf("%s went from revision %d to %d", e.Key, last.Revision, e.Revision)
	}
	if !e.Deleted && !written(e.Entry) {
		t.Errorf("%s at %d: %q was never written", e.Key, e.Revision, e.Value)
	}
	m.values[e.Key] = e.Entry
}

// TestSoak writes at random while connections break and the server restarts. Every
// acknowledged write is there, watchers end up with what the list has, they are
// told of nothing that was not written, and revisions of a key only rise.
func TestSoak(t *testing.T) {
	b := bustest.Start(t).Provisioned(t)
	ctx := deadline(t, 100*time.Second)
	const keys, writers = 30, 4
	var mu sync.Mutex
	tried := map[string]bool{}
	acked := map[bus.Key]store.Revision{}
	writing, stop := context.WithTimeout(ctx, 6*time.Second)
	defer stop()

	var all sync.WaitGroup
	for w := range writers {
		s := store.New(b.Conn(t, "system:apiserver"), bus.BucketState)
		all.Go(func() {
			for n := 0; writing.Err() == nil; n++ {
				k := bus.Key(fmt.Sprintf("desired.x.ns.k%d", rand.N(keys)))
				e, err := s.Get(writing, k)
				if err != nil && !errors.Is(err, store.ErrNotFound) {
					continue
				}
				op := store.Op{Key: k, Revision: e.Revision}
				if rand.N(4) > 0 {
					op.Value = fmt.Appendf(nil, "%d-%d", w, n)
				}
				mu.Lock()
				tried[string(k)+"="+string(op.Value)] = true
				mu.Unlock()
				rev, err := s.Apply(ctx, op)
				if err != nil {
					continue
				}
				mu.Lock()
				acked[k] = max(acked[k], rev)
				mu.Unlock()
			}
		})
	}
	all.Go(func() {
		for i := 0; writing.Err() == nil; i++ {
			select {
			case <-time.After(400 * time.Millisecond):
			case <-writing.Done():
				return
			}
			if i%4 == 3 {
				b.Restart(t)
			} else {
				b.Kick(t)
			}
		}
	})
	mirrors := make([]*mirror, 3)
	quiet := make(chan store.Revision, len(mirrors))
	watching, unwatch := context.WithCancel(ctx)
	var watchers sync.WaitGroup
	for i := range mirrors {
		m := &mirror{values: map[bus.Key]store.Entry{}}
		mirrors[i] = m
		events := store.New(b.Conn(t, "system:controller"), bus.BucketState).Watch(watching, nil, []string{">", "desired.x.>", "desired.>"}[i])
		watchers.Go(func() {
			goal := store.Revision(0)
			for {
				select {
				case e, ok := <-events:
					if !ok {
						return
					}
					m.take(t, e, func(e store.Entry) bool {
						mu.Lock()
						defer mu.Unlock()
						return tried[string(e.Key)+"="+string(e.Value)]
					})
				case goal = <-quiet:
				}
				if goal > 0 && m.synced && m.upTo >= goal {
					return
				}
			}
		})
	}
	all.Wait()
	s := store.New(b.Conn(t, "admin"), bus.BucketState)
	entries, last, err := s.List(ctx, ">")
	if err != nil {
		t.Fatal(err)
	}
	for range mirrors {
		quiet <- last
	}
	watchers.Wait()
	unwatch()
	if ctx.Err() != nil {
		t.Fatal("the watchers did not catch up")
	}
	t.Logf("%d revisions, %d writes tried", last, len(tried))
	listed := map[bus.Key]store.Entry{}
	for _, e := range entries {
		listed[e.Key] = e
		if e.Revision < acked[e.Key] {
			t.Errorf("%s is at %d, but %d was acknowledged", e.Key, e.Revision, acked[e.Key])
		}
	}
	for i, m := range mirrors {
		for k, e := range listed {
			if got := m.values[k]; !e.Deleted && (got.Revision != e.Revision || !bytes.Equal(got.Value, e.Value)) {
				t.Errorf("watcher %d has %s at %d, the list at %d", i, k, got.Revision, e.Revision)
			}
		}
		for k, got := range m.values {
			if e := listed[k]; !got.Deleted && (e.Deleted || e.Key == "") {
				t.Errorf("watcher %d still has %s", i, k)
			}
		}
	}
}

// TestWatchFindsSilentLoss: changes that never come over the wire, on a connection
// that never breaks, are found by looking now and then.
func TestWatchFindsSilentLoss(t *testing.T) {
	b, s := open(t, bus.BucketState)
	ctx := deadline(t, 60*time.Second)
	watching := store.New(b.Conn(t, "system:controller"), bus.BucketState)
	watching.SetIdle(50 * time.Millisecond)
	events := watching.Watch(ctx, nil, "desired.x.>")
	next(t, events)
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
