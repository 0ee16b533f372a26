package history

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/bustest"
	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/schemas"
)

var ref = schemas.Ref{Resource: schemas.ConfigMaps, Namespace: "default", Name: "c"}

// written is an object that is written again and again, as the registry does it.
type written struct {
	t     *testing.T
	conn  *bus.Conn
	state *store.Store
	pad   string // makes values larger
	n     int
}

func newWritten(t *testing.T) *written {
	conn := bustest.Start(t).Provisioned(t).Conn(t, "system:apiserver")
	return &written{t: t, conn: conn, state: store.New(conn, bus.BucketState)}
}

func (w *written) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	w.t.Cleanup(cancel)
	return ctx
}

func (w *written) now() store.Entry {
	w.t.Helper()
	e, err := w.state.Get(w.ctx(), bus.DesiredKey(ref))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		w.t.Fatal(err)
	}
	return e
}

// next writes the next value, with what k wants carried along, which it returns.
func (w *written) next(k *Keeper) []byte {
	w.t.Helper()
	op := store.Op{Key: bus.DesiredKey(ref)}
	if e := w.now(); e.Value != nil {
		var err error
		op.Revision = e.Revision
		if op.Carry, err = k.Carry(w.ctx(), ref, e, true); err != nil {
			w.t.Fatal(err)
		}
	}
	w.n++
	op.Value = fmt.Appendf(nil, `{"metadata":{"name":"c","uid":"u","generation":%d},"data":{"k":"%d%s"}}`, w.n, w.n, w.pad)
	if _, err := w.state.Apply(w.ctx(), op); err != nil {
		w.t.Fatal(err)
	}
	return op.Carry
}

// kept is what is in the bucket itself.
func (w *written) kept() string {
	w.t.Helper()
	entries, err := store.New(w.conn, bus.BucketRevisions).History(w.ctx(), bus.RevisionKey(ref), 0)
	if err != nil {
		w.t.Fatal(err)
	}
	var s strings.Builder
	for _, e := range entries {
		_, value, _ := bytes.Cut(e.Value, []byte(`"generation":`))
		s.WriteByte(value[0])
	}
	return s.String()
}

// told is what a reader is told of by k.
func (w *written) told(k *Keeper) string {
	w.t.Helper()
	list, err := k.List(w.ctx(), ref, w.now())
	if err != nil {
		w.t.Fatal(err)
	}
	var s strings.Builder
	for _, r := range list {
		fmt.Fprint(&s, r.Number)
	}
	return s.String()
}

// Each apiserver ends before it has kept anything, and another one goes on.
func TestCarriedThroughCrashes(t *testing.T) {
	w := newWritten(t)
	for range 5 {
		w.next(New(w.conn))
	}
	if kept, told := w.kept(), w.told(New(w.conn)); kept != "" || told != "12345" {
		t.Errorf("kept %q, told %q", kept, told)
	}
	if err := New(w.conn).Keep(w.ctx(), ref, w.now()); err != nil {
		t.Fatal(err)
	}
	if kept, told := w.kept(), w.told(New(w.conn)); kept != "12345" || told != "12345" {
		t.Errorf("at the end kept %q, told %q", kept, told)
	}
}

// Two apiservers write in turns, and both keep what they replaced, late.
func TestKeptOnceInOrder(t *testing.T) {
	w := newWritten(t)
	a, b := New(w.conn), New(w.conn)
	w.next(a)
	early := w.next(a)
	var late []byte
	for range 3 {
		w.next(a)
		late = w.next(b)
	}
	b.keepReplaced(w.ctx(), map[schemas.Ref][]byte{ref: late})
	a.keepReplaced(w.ctx(), map[schemas.Ref][]byte{ref: early})
	if kept, told := w.kept(), w.told(a); kept != "1234567" || told != "12345678" {
		t.Errorf("kept %q, told %q", kept, told)
	}
	if carry := w.next(b); len(carry) > len(late)/4 {
		t.Errorf("carries %d bytes when all but the last value is kept", len(carry))
	}
}

func TestTooMuchToCarry(t *testing.T) {
	w := newWritten(t)
	w.pad = strings.Repeat("x", store.MaxCarry/3)
	k := New(w.conn)
	for i, want := range []string{"", "", "", "123", "123", "123", "123456"} {
		w.next(k)
		if kept := w.kept(); kept != want {
			t.Fatalf("after write %d kept %q, want %q", i+1, kept, want)
		}
	}
	if told := w.told(k); told != "1234567" {
		t.Errorf("told %q", told)
	}
}

func TestRunKeeps(t *testing.T) {
	w := newWritten(t)
	k := New(w.conn)
	ctx, stop := context.WithCancel(w.ctx())
	ended := make(chan error, 1)
	go func() { ended <- k.Run(ctx) }()
	w.next(k)
	k.Replaced(ref, w.next(k))
	for w.kept() != "1" {
		if ctx.Err() != nil {
			t.Fatal("nothing was kept")
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add(pack([]former{{1, []byte("a")}, {300, nil}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := unpack(b)
		if err != nil {
			return
		}
		again, err := unpack(pack(list))
		if err != nil || len(again) != len(list) {
			t.Errorf("%v, %v", again, err)
		}
	})
}
