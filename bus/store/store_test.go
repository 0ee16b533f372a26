package store_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/bustest"
	"github.com/skerry/skerry/bus/store"
)

// open starts a provisioned server and returns it with a store on bucket.
func open(t testing.TB, bucket string, options ...bustest.Option) (*bustest.Bus, *store.Store) {
	t.Helper()
	b := bustest.Start(t, options...).Provisioned(t)
	return b, store.New(b.Conn(t, "system:apiserver"), bucket)
}

func deadline(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

func must[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func wantErr(t testing.TB, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("%s: got error %v, want %v", what, err, want)
	}
}

func TestLifeOfAKey(t *testing.T) {
	_, s := open(t, bus.BucketState)
	ctx := deadline(t, 20*time.Second)
	k := bus.Key("desired.pods.default.web.with.dots")

	_, err := s.Get(ctx, k)
	wantErr(t, "get before create", err, store.ErrNotFound)
	r1 := must[store.Revision](t)(s.Create(ctx, k, []byte("one")))
	_, err = s.Create(ctx, k, []byte("again"))
	wantErr(t, "create twice", err, store.ErrConflict)
	_, err = s.Create(ctx, k, []byte("one"))
	wantErr(t, "create twice with the same value", err, store.ErrConflict)
	r2 := must[store.Revision](t)(s.Update(ctx, k, []byte{}, r1))
	_, err = s.Update(ctx, k, []byte("three"), r1)
	wantErr(t, "update at an old revision", err, store.ErrConflict)
	e := must[store.Entry](t)(s.Get(ctx, k))
	if e.Key != k || e.Value == nil || len(e.Value) != 0 || e.Revision != r2 || e.Deleted || e.Created.IsZero() {
		t.Errorf("get: %+v", e)
	}
	_, err = s.Delete(ctx, k, r1)
	wantErr(t, "delete at an old revision", err, store.ErrConflict)
	r3 := must[store.Revision](t)(s.Delete(ctx, k, r2))
	marker, err := s.Get(ctx, k)
	wantErr(t, "get after delete", err, store.ErrNotFound)
	if !marker.Deleted || marker.Revision != r3 {
		t.Errorf("marker: %+v", marker)
	}
	r4 := must[store.Revision](t)(s.Create(ctx, k, []byte("back")))
	r5 := must[store.Revision](t)(s.Delete(ctx, k, r4))
	r6 := must[store.Revision](t)(s.Update(ctx, k, []byte("on the marker"), r5))
	if last := must[store.Revision](t)(s.Last(ctx)); last != r6 || r6 != r1+5 {
		t.Errorf("last is %d, wrote %d", last, r6)
	}
	_, err = s.Update(ctx, "desired.pods.default.none", []byte("x"), 3)
	wantErr(t, "update of a key that is not there", err, store.ErrConflict)
}

func TestBatch(t *testing.T) {
	_, s := open(t, bus.BucketState)
	ctx := deadline(t, 20*time.Second)
	a, b, c := bus.Key("desired.x._.a"), bus.Key("assigned.n1.default.b"), bus.Key("current.x._.c")
	op := func(k bus.Key, v string, rev store.Revision) store.Op {
		return store.Op{Key: k, Value: []byte(v), Revision: rev}
	}
	rev := must[store.Revision](t)(s.Apply(ctx, op(a, "1", 0), op(b, "1", 0)))
	if rev != 2 {
		t.Fatalf("the batch's last revision is %d, want 2", rev)
	}
	_, err := s.Apply(ctx, op(c, "new", 0), op(b, "2", 1))
	wantErr(t, "batch with a conflict", err, store.ErrConflict)
	_, err = s.Get(ctx, c)
	wantErr(t, "the refused batch's other key", err, store.ErrNotFound)

	must[store.Revision](t)(s.Delete(ctx, a, 1))
	rev = must[store.Revision](t)(s.Apply(ctx, op(a, "over a marker", 0), op(c, "1", 0), store.Op{Key: b, Revision: 2}))
	entries, last, err := s.List(ctx, ">")
	if err != nil || last != rev || len(entries) != 3 || string(entries[0].Value) != "over a marker" || !entries[2].Deleted {
		t.Errorf("list after the batch: %+v at %d (%v)", entries, last, err)
	}

	_, err = s.Apply(ctx, op(a, "1", 0), op(a, "2", 0))
	wantErr(t, "one key twice", err, store.ErrInvalid)
	_, err = s.Apply(ctx, make([]store.Op, bus.MaxBatch+1)...)
	wantErr(t, "too many ops", err, store.ErrInvalid)
	_, err = s.Create(ctx, "desired.x._.big", []byte(strings.Repeat("x", 1<<20)))
	wantErr(t, "a value beyond the message size", err, store.ErrTooLarge)

	ops := make([]store.Op, 5000) // more than NATS' own limit
	for i := range ops {
		ops[i] = op(bus.Key(fmt.Sprintf("desired.many._.%d", i)), "v", 0)
	}
	if got := must[store.Revision](t)(s.Apply(ctx, ops...)); got != last+5000 {
		t.Errorf("many ops end at %d, want %d", got, last+5000)
	}
}

func TestList(t *testing.T) {
	_, s := open(t, bus.BucketState)
	ctx := deadline(t, 60*time.Second)
	entries, rev, err := s.List(ctx, ">")
	if err != nil || len(entries) != 0 || rev != 0 {
		t.Fatalf("empty bucket: %v at %d (%v)", entries, rev, err)
	}
	// More keys than one reply of the server takes, in two resources.
	for batch := range 3 {
		ops := make([]store.Op, 900)
		for i := range ops {
			res := []string{"pods", "nodes"}[i%2]
			ops[i] = store.Op{Key: bus.Key(fmt.Sprintf("desired.%s.ns%d.o%d", res, batch, i)), Value: []byte{byte(i)}}
		}
		must[store.Revision](t)(s.Apply(ctx, ops...))
	}
	tests := []struct {
		filters []string
		want    int
	}{
		{[]string{">"}, 2700},
		{[]string{"desired.pods.>"}, 1350},
		{[]string{"desired.pods.ns1.>"}, 450},
		{[]string{"desired.pods.>", "desired.nodes.ns0.*"}, 1800},
		{[]string{"desired.*.ns2.>"}, 900},
		{[]string{"desired.pods.ns0.o0", "desired.nodes.ns0.o1", "desired.pods.ns0.none"}, 2},
		{[]string{"assigned.>"}, 0},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.filters, " "), func(t *testing.T) {
			entries, rev, err := s.List(ctx, tt.filters...)
			if err != nil || len(entries) != tt.want || rev != 2700 {
				t.Fatalf("%d entries at %d (%v), want %d at 2700", len(entries), rev, err, tt.want)
			}
			for i := 1; i < len(entries); i++ {
				if entries[i-1].Revision >= entries[i].Revision {
					t.Fatalf("not sorted by revision at %d", i)
				}
			}
		})
	}
}

// TestLongListWhileWritten overwrites keys while long lists are read, in pages or by a sweep: no key may
// be missing from any of them.
func TestLongListWhileWritten(t *testing.T) {
	for name, many := range map[string]store.Revision{"pages": 1 << 40, "sweep": 0} {
		t.Run(name, func(t *testing.T) { longListWhileWritten(t, many) })
	}
}

func longListWhileWritten(t *testing.T, many store.Revision) {
	_, s := open(t, bus.BucketState)
	s.SetMany(many)
	ctx := deadline(t, 60*time.Second)
	const n = 3000
	ops := make([]store.Op, n)
	for i := range ops {
		ops[i] = store.Op{Key: bus.Key(fmt.Sprintf("desired.pods.ns.o%d", i)), Value: []byte("v")}
	}
	for i := 0; i < n; i += 1000 {
		must[store.Revision](t)(s.Apply(ctx, ops[i:i+1000]...))
	}
	revs := make([]store.Revision, n)
	for i := range revs {
		revs[i] = store.Revision(i + 1)
	}
	done := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() {
		for i := 0; ; i = (i + 7) % n {
			select {
			case <-done:
				return
			default:
			}
			rev, err := s.Update(ctx, ops[i].Key, []byte("w"), revs[i])
			if err != nil {
				t.Error(err)
				return
			}
			revs[i] = rev
		}
	})
	for range 20 {
		entries, _, err := s.List(ctx, "desired.>")
		if err != nil || len(entries) != n {
			t.Errorf("list has %d keys (%v), want %d", len(entries), err, n)
		}
	}
	close(done)
	writer.Wait()
}

// TestSweep lists what is left of many revisions: long stretches that hold nothing, one key here and there, a
// part of the keys, and all of it sorted.
func TestSweep(t *testing.T) {
	_, s := open(t, bus.BucketState)
	s.SetMany(0)
	ctx := deadline(t, 60*time.Second)
	batch := func(resource string, n int, revs ...store.Revision) (last store.Revision) {
		ops := make([]store.Op, n)
		for i := range ops {
			ops[i] = store.Op{Key: bus.Key(fmt.Sprintf("desired.%s.ns.o%d", resource, i)), Value: []byte("v")}
			if len(revs) > 0 {
				ops[i].Revision = revs[i]
			}
		}
		return must[store.Revision](t)(s.Apply(ctx, ops...))
	}
	revs := make([]store.Revision, 1000)
	for round := range 7 {
		first := batch("pods", 1000, revs...) - 999
		for i := range revs {
			revs[i] = first + store.Revision(i)
		}
		must[store.Revision](t)(s.Create(ctx, bus.Key(fmt.Sprintf("desired.nodes._.n%d", round)), []byte("v")))
	}
	for i := range 4 {
		batch(fmt.Sprintf("secrets%d", i), 999)
	}
	for filter, want := range map[string]int{">": 5003, "desired.nodes.>": 7, "desired.secrets2.>": 999, "desired.*.ns.>": 4996, "assigned.>": 0} {
		entries, rev, err := s.List(ctx, filter)
		if err != nil || len(entries) != want || rev != 11003 {
			t.Errorf("%s: %d entries at %d (%v), want %d at 11003", filter, len(entries), rev, err, want)
		}
		if !slices.IsSortedFunc(entries, func(a, b store.Entry) int { return cmp.Compare(a.Revision, b.Revision) }) {
			t.Errorf("%s: not sorted by revision", filter)
		}
	}
}

func TestHistory(t *testing.T) {
	_, s := open(t, bus.BucketRevisions)
	ctx := deadline(t, 30*time.Second)
	k := bus.Key("apps/deployments.default.web.v1")
	if h, err := s.History(ctx, k, 0); err != nil || len(h) != 0 {
		t.Fatalf("history of nothing: %v (%v)", h, err)
	}
	var rev store.Revision
	for i := range 260 {
		rev = must[store.Revision](t)(s.Update(ctx, k, fmt.Appendf(nil, "%d", i), rev))
	}
	must[store.Revision](t)(s.Create(ctx, k+"x", []byte("other")))
	all := must[[]store.Entry](t)(s.History(ctx, k, 0))
	if len(all) != 250 || string(all[0].Value) != "10" || string(all[249].Value) != "259" {
		t.Errorf("kept %d, from %s", len(all), all[0].Value)
	}
	some := must[[]store.Entry](t)(s.History(ctx, k, 3))
	if len(some) != 3 || string(some[0].Value) != "257" || some[2].Revision != rev {
		t.Errorf("newest three: %+v", some)
	}
	entries, _, err := s.List(ctx, ">")
	if err != nil || len(entries) != 2 || entries[0].Revision != rev {
		t.Errorf("list of the newest: %+v (%v)", entries, err)
	}
}

func TestEventsStream(t *testing.T) {
	_, s := open(t, bus.StreamEvents)
	ctx := deadline(t, 20*time.Second)
	events := s.Watch(ctx, nil, ">")
	if e := next(t, events); !e.Synced {
		t.Fatalf("first: %+v", e)
	}
	rev := must[store.Revision](t)(s.Create(ctx, "default.web.17", []byte("one")))
	rev = must[store.Revision](t)(s.Update(ctx, "default.web.17", []byte("two"), rev))
	next(t, events)
	if e := next(t, events); e.Key != "default.web.17" || string(e.Value) != "two" || e.Revision != rev {
		t.Errorf("event: %+v", e)
	}
	if e := must[store.Entry](t)(s.Get(ctx, "default.web.17")); string(e.Value) != "two" {
		t.Errorf("get: %+v", e)
	}
}

func TestProvision(t *testing.T) {
	b, s := open(t, bus.BucketState)
	ctx := deadline(t, 20*time.Second)
	must[store.Revision](t)(s.Create(ctx, "desired.x._.a", []byte("kept")))
	b.Provisioned(t).Provisioned(t)
	b.Restart(t)
	b.Provisioned(t)
	s = store.New(b.Conn(t, "admin"), bus.BucketState)
	if e := must[store.Entry](t)(s.Get(ctx, "desired.x._.a")); string(e.Value) != "kept" {
		t.Errorf("after provisioning again: %+v", e)
	}
}

func TestLeaseExpires(t *testing.T) {
	_, s := open(t, bus.BucketLeases)
	ctx := deadline(t, 20*time.Second)
	events := s.Watch(ctx, nil, "node.>")
	next(t, events)
	rev := must[store.Revision](t)(s.Apply(ctx, store.Op{Key: "node.n1", Value: []byte("x"), TTL: time.Second}))
	if e := next(t, events); e.Key != "node.n1" || e.Deleted {
		t.Fatalf("beat: %+v", e)
	}
	e := next(t, events)
	if e.Key != "node.n1" || !e.Deleted || e.Revision <= rev {
		t.Errorf("expiry: %+v", e)
	}
	must[store.Revision](t)(s.Apply(ctx, store.Op{Key: "node.n1", Value: []byte("y"), TTL: time.Minute}))
}

// next returns the next event, progress marks left out.
func next(t testing.TB, events <-chan store.Event) store.Event {
	t.Helper()
	timeout := time.After(15 * time.Second)
	for {
		select {
		case e, ok := <-events:
			if !ok {
				t.Fatal("the watch ended")
			}
			if !e.Progress {
				return e
			}
		case <-timeout:
			t.Fatal("no event")
		}
	}
}
