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

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/bustest"
	"github.com/skerry/skerry/bus/store"
)

// TestSoak writes at random while connections break and the server restarts. Every
// acknowledged write is there, watchers end up with what the list has, they are
// told of nothing that was not written, and revisions of a key only rise.
func TestSoak(t *testing.T) {
	b := bustest.Start(t).Provisioned(t)
	ctx := deadline(t, 100*time.Second)
	l := &ledger{tried: map[string]bool{}, acked: map[bus.Key]store.Revision{}}
	writing, stop := context.WithTimeout(ctx, 6*time.Second)
	defer stop()

	var all sync.WaitGroup
	for w := range 4 {
		s := store.New(b.Conn(t, "system:apiserver"), bus.BucketState)
		all.Go(func() { l.write(ctx, writing, s, w) })
	}
	all.Go(func() { trouble(t, b, writing) })
	watching, unwatch := context.WithCancel(ctx)
	defer unwatch()
	var mirrors []*mirror
	var watchers sync.WaitGroup
	for _, filter := range []string{">", "desired.x.>", "desired.>"} {
		m := &mirror{values: map[bus.Key]store.Entry{}, goal: make(chan store.Revision, 1)}
		mirrors = append(mirrors, m)
		events := store.New(b.Conn(t, "system:controller"), bus.BucketState).Watch(watching, nil, filter)
		watchers.Go(func() { m.follow(t, events, l) })
	}
	all.Wait()
	entries, last, err := store.New(b.Conn(t, "admin"), bus.BucketState).List(ctx, ">")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mirrors {
		m.goal <- last
	}
	watchers.Wait()
	if ctx.Err() != nil {
		t.Fatal("the watchers did not catch up")
	}
	t.Logf("%d revisions, %d writes tried", last, len(l.tried))
	for _, e := range entries {
		if e.Revision < l.acked[e.Key] {
			t.Errorf("%s is at %d, but %d was acknowledged", e.Key, e.Revision, l.acked[e.Key])
		}
	}
	for _, m := range mirrors {
		m.compare(t, entries)
	}
}

// trouble breaks connections, and now and then restarts the server.
func trouble(t *testing.T, b *bustest.Bus, until context.Context) {
	tick := time.NewTicker(400 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-tick.C:
		case <-until.Done():
			return
		}
		if i%4 == 3 {
			b.Restart(t)
		} else {
			b.Kick(t)
		}
	}
}

// ledger knows what was written.
type ledger struct {
	mu    sync.Mutex
	tried map[string]bool
	acked map[bus.Key]store.Revision
}

func (l *ledger) write(ctx, until context.Context, s *store.Store, writer int) {
	for n := 0; until.Err() == nil; n++ {
		k := bus.Key(fmt.Sprintf("desired.x.ns.k%d", rand.N(30)))
		e, err := s.Get(until, k)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			continue
		}
		op := store.Op{Key: k, Revision: e.Revision}
		if rand.N(4) > 0 {
			op.Value = fmt.Appendf(nil, "%d-%d", writer, n)
		}
		l.mu.Lock()
		l.tried[string(k)+"="+string(op.Value)] = true
		l.mu.Unlock()
		rev, err := s.Apply(ctx, op)
		if err != nil {
			continue
		}
		l.mu.Lock()
		l.acked[k] = max(l.acked[k], rev)
		l.mu.Unlock()
	}
}

func (l *ledger) has(e store.Entry) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.tried[string(e.Key)+"="+string(e.Value)]
}

// mirror is what a watcher makes of its events, checked as they come.
type mirror struct {
	values map[bus.Key]store.Entry
	goal   chan store.Revision // follow ends when it is reached
}

func (m *mirror) follow(t *testing.T, events <-chan store.Event, l *ledger) {
	var goal, upTo store.Revision
	synced := false
	for goal == 0 || !synced || upTo < goal {
		select {
		case e, ok := <-events:
			if !ok {
				return
			}
			upTo = max(upTo, e.Revision)
			synced = synced || e.Synced
			if !e.Synced && !e.Progress {
				m.take(t, e.Entry, l)
			}
		case goal = <-m.goal:
		}
	}
}

func (m *mirror) take(t *testing.T, e store.Entry, l *ledger) {
	if last, ok := m.values[e.Key]; ok && e.Revision <= last.Revision {
		t.Errorf("%s went from revision %d to %d", e.Key, last.Revision, e.Revision)
	}
	if !e.Deleted && !l.has(e) {
		t.Errorf("%s at %d: %q was never written", e.Key, e.Revision, e.Value)
	}
	m.values[e.Key] = e
}

// compare checks that the mirror and the list hold the same.
func (m *mirror) compare(t *testing.T, entries []store.Entry) {
	listed := map[bus.Key]bool{}
	for _, e := range entries {
		listed[e.Key] = !e.Deleted
		got := m.values[e.Key]
		if !e.Deleted && (got.Revision != e.Revision || !bytes.Equal(got.Value, e.Value)) {
			t.Errorf("a watcher has %s at %d, the list at %d", e.Key, got.Revision, e.Revision)
		}
	}
	for k, got := range m.values {
		if !got.Deleted && !listed[k] {
			t.Errorf("a watcher still has %s", k)
		}
	}
}
