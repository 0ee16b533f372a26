package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/bustest"
	"github.com/skerry/skerry/bus/store"
)

// until waits for a condition that another connection can see but not announce.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(15 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatalf("timed out waiting until %s", what)
		}
	}
}

// TestLostAcknowledgement: the server stores the write, and the connection goes
// before its answer comes.
func TestLostAcknowledgement(t *testing.T) {
	b, direct := open(t, bus.BucketState)
	ctx := deadline(t, 60*time.Second)
	a, b1, b2, c := bus.Key("desired.x._.a"), bus.Key("desired.x._.b1"), bus.Key("desired.x._.b2"), bus.Key("desired.x._.c")
	tests := []struct {
		name  string
		ops   []store.Op
		after func(t *testing.T) // before the writer can look again
		want  error
	}{
		{name: "one write", ops: []store.Op{{Key: a, Value: []byte("v")}}},
		{name: "a batch", ops: []store.Op{{Key: b1, Value: []byte("v")}, {Key: b2, Value: []byte("v")}}},
		{name: "a write that somebody replaced", ops: []store.Op{{Key: c, Value: []byte("v")}}, want: store.ErrUnknown,
			after: func(t *testing.T) {
				e := must[store.Entry](t)(direct.Get(ctx, c))
				must[store.Revision](t)(direct.Update(ctx, c, []byte("other"), e.Revision))
			}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := b.Proxy(t)
			s := store.New(p.Conn(t, "system:apiserver"), bus.BucketState)
			must[store.Revision](t)(s.Last(ctx)) // the connection works
			p.Mute()
			var rev store.Revision
			var err error
			var writer sync.WaitGroup
			writer.Go(func() { rev, err = s.Apply(ctx, tt.ops...) })
			until(t, "the write is stored", func() bool {
				_, err := direct.Get(ctx, tt.ops[0].Key)
				return err == nil
			})
			if tt.after != nil {
				tt.after(t)
			}
			p.Cut()
			writer.Wait()
			if !errors.Is(err, tt.want) {
				t.Fatalf("error %v, want %v", err, tt.want)
			}
			last := must[store.Revision](t)(direct.Last(ctx))
			if err == nil && rev != last {
				t.Errorf("revision %d, want %d", rev, last)
			}
		})
	}
}

// TestNothingSentWhileAway: a write without a connection fails at once, clearly.
func TestNothingSentWhileAway(t *testing.T) {
	b, direct := open(t, bus.BucketState)
	ctx := deadline(t, 30*time.Second)
	p := b.Proxy(t)
	conn := p.Conn(t, "system:apiserver")
	s := store.New(conn, bus.BucketState)
	p.Down()
	until(t, "the client noticed", func() bool { return !conn.Connected() })
	_, err := s.Create(ctx, "desired.x._.a", []byte("v"))
	wantErr(t, "create while away", err, bus.ErrUnreachable)
	if errors.Is(err, store.ErrUnknown) {
		t.Errorf("a write that was not sent is unknown: %v", err)
	}
	p.Up()
	until(t, "it is stored", func() bool {
		_, err := s.Create(ctx, "desired.x._.a", []byte("v"))
		return err == nil
	})
	if e := must[store.Entry](t)(direct.Get(ctx, "desired.x._.a")); e.Revision != 1 {
		t.Errorf("stored at %d", e.Revision)
	}
}

// TestCancelled: a caller that gives up is told that it cannot know.
func TestCancelled(t *testing.T) {
	b, _ := open(t, bus.BucketState)
	p := b.Proxy(t)
	s := store.New(p.Conn(t, "system:apiserver"), bus.BucketState)
	must[store.Revision](t)(s.Last(deadline(t, 10*time.Second)))
	p.Mute()
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	_, err := s.Create(ctx, "desired.x._.a", []byte("v"))
	wantErr(t, "create", err, store.ErrUnknown)
	wantErr(t, "create", err, context.DeadlineExceeded)
	_, err = s.Create(ctx, "desired.x._.b", []byte("v"))
	if errors.Is(err, store.ErrUnknown) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a write that was never sent: %v", err)
	}
}

// TestConcurrentWriters: writes that share batches get their own, true answers.
// Each key has several writers that each try to create it, and then count it up.
func TestConcurrentWriters(t *testing.T) {
	_, s := open(t, bus.BucketState, bustest.SyncAlways())
	ctx := deadline(t, 60*time.Second)
	const keys, rivals, rounds = 40, 3, 4
	wins := make([]int, keys)
	revs := map[store.Revision]bus.Key{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for i := range keys {
		k := bus.Key(fmt.Sprintf("desired.pods.ns.p%d", i))
		for r := range rivals {
			all.Go(func() {
				for round := range rounds {
					var at store.Revision
					if e, err := s.Get(ctx, k); err == nil {
						at = e.Revision
					}
					v := fmt.Appendf(nil, "%d-%d", r, round)
					rev, err := s.Apply(ctx, store.Op{Key: k, Value: v, Revision: at})
					if errors.Is(err, store.ErrConflict) {
						continue
					}
					mu.Lock()
					if err != nil {
						t.Errorf("apply %s: %v", k, err)
					} else if other, taken := revs[rev]; taken {
						t.Errorf("revision %d given to %s and %s", rev, k, other)
					} else {
						revs[rev] = k
						wins[i]++
					}
					mu.Unlock()
				}
			})
		}
	}
	all.Wait()
	total := 0
	for i, n := range wins {
		total += n
		if n == 0 {
			t.Errorf("nobody won key %d", i)
		}
	}
	if last := must[store.Revision](t)(s.Last(ctx)); last != store.Revision(total) {
		t.Errorf("%d writes were acknowledged, the bucket is at %d", total, last)
	}
	entries, _, err := s.List(ctx, ">")
	if err != nil || len(entries) != keys {
		t.Fatalf("list: %d (%v)", len(entries), err)
	}
	for _, e := range entries {
		if revs[e.Revision] != e.Key {
			t.Errorf("%s is at %d, which %s was told", e.Key, e.Revision, revs[e.Revision])
		}
	}
}

// TestConflictsInABatch: those whose keys have moved are found without reading what is
// beside them, and the others are written.
func TestConflictsInABatch(t *testing.T) {
	b := bustest.Start(t).Provisioned(t)
	conn := b.Conn(t, "system:apiserver")
	s := store.New(conn, bus.BucketState)
	ctx := deadline(t, 60*time.Second)
	const keys, mine, size = 3000, 400, 1000
	ops := make([]store.Op, keys)
	for i := range ops {
		ops[i] = store.Op{Key: bus.Key(fmt.Sprintf("desired.pods.ns.p%d", i)), Value: make([]byte, size)}
	}
	revs, errs := s.Each(ctx, ops...)
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	ops = ops[:mine]
	for i := range ops {
		ops[i].Value, ops[i].Revision = []byte("new"), revs[i]
	}
	ops[7].Revision++
	before := conn.NC.Stats().InBytes
	_, errs = s.Each(ctx, ops...)
	for i, err := range errs {
		if (err != nil) != (i == 7) || i == 7 && !errors.Is(err, store.ErrConflict) {
			t.Errorf("write %d: %v", i, err)
		}
	}
	if got := conn.NC.Stats().InBytes - before; got > 4*mine*size {
		t.Errorf("read %d bytes to find a conflict among %d keys of %d bytes", got, mine, size)
	}
}

// TestCreateOverMarkers: many creates at once on deleted keys.
func TestCreateOverMarkers(t *testing.T) {
	_, s := open(t, bus.BucketState)
	ctx := deadline(t, 60*time.Second)
	for round := range 2 {
		var all sync.WaitGroup
		for i := range 100 {
			k := bus.Key(fmt.Sprintf("desired.pods.ns.p%d", i))
			all.Go(func() {
				rev, err := s.Create(ctx, k, []byte("v"))
				if err != nil {
					t.Errorf("round %d: create: %v", round, err)
				} else if _, err = s.Delete(ctx, k, rev); err != nil {
					t.Errorf("round %d: delete: %v", round, err)
				}
			})
		}
		all.Wait()
	}
}

// readerOnly is a lister as an agent has it: it does not tell write ids.
type readerOnly struct{ *store.Store }

func TestReadingThroughALister(t *testing.T) {
	b, direct := open(t, bus.BucketState)
	ctx := deadline(t, 30*time.Second)
	p := b.Proxy(t)
	s := store.NewVia(p.Conn(t, bus.NodeUser("n1")), bus.BucketState, readerOnly{direct})
	k := bus.ObservedNodeKey("n1")
	rev := must[store.Revision](t)(s.Create(ctx, k, []byte("one")))
	must[store.Revision](t)(s.Delete(ctx, k, rev))
	rev = must[store.Revision](t)(s.Create(ctx, k, []byte("two")))
	_, err := s.Create(ctx, k, []byte("two"))
	wantErr(t, "create what is there", err, store.ErrConflict)

	p.Mute()
	var second store.Revision
	var writer sync.WaitGroup
	writer.Go(func() { second, err = s.Update(ctx, k, []byte("three"), rev) })
	until(t, "the write is stored", func() bool {
		e, err := direct.Get(ctx, k)
		return err == nil && e.Revision > rev
	})
	p.Cut()
	writer.Wait()
	if err != nil || second != rev+1 {
		t.Errorf("a lost acknowledgement: revision %d, %v", second, err)
	}
}
