package store_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/bustest"
	"github.com/skerry/skerry/bus/store"
)

// What goes along with a value is bytes of any sort, by itself and in a batch, is there after a restart, and
// goes with the value.
func TestCarry(t *testing.T) {
	b, s := open(t, bus.BucketState, bustest.SyncAlways())
	ctx := deadline(t, 30*time.Second)
	carry := []byte("\r\nNats-Expected-Last-Subject-Sequence: 0\r\n\x00\xff")
	key, other := bus.Key("desired.pods.default.a"), bus.Key("desired.pods.default.b")
	rev := must[store.Revision](t)(s.Apply(ctx, store.Op{Key: key, Value: []byte("1"), Carry: carry}))
	_, err := s.Apply(ctx, store.Op{Key: key, Value: []byte("2"), Carry: carry})
	wantErr(t, "create again", err, store.ErrConflict)
	must[store.Revision](t)(s.Apply(ctx, store.Op{Key: other, Value: []byte("1")}, store.Op{Key: key, Value: []byte("2"), Revision: rev, Carry: bytes.Repeat(carry, 300)}))
	b.Restart(t)
	s = store.New(b.Conn(t, "system:apiserver"), bus.BucketState)
	e := must[store.Entry](t)(s.Get(ctx, key))
	if string(e.Value) != "2" || !bytes.Equal(e.Carried, bytes.Repeat(carry, 300)) {
		t.Errorf("value %q with %d bytes", e.Value, len(e.Carried))
	}
	rev = must[store.Revision](t)(s.Update(ctx, key, []byte("3"), e.Revision))
	if e := must[store.Entry](t)(s.Get(ctx, key)); e.Carried != nil || e.Revision != rev {
		t.Errorf("after the next write: %+v", e)
	}
	_, err = s.Apply(ctx, store.Op{Key: key, Value: []byte("4"), Revision: rev, Carry: make([]byte, store.MaxCarry+1)})
	wantErr(t, "too much", err, store.ErrTooLarge)
}
