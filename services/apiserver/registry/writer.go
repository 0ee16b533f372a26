package registry

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/bus/view"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/join"
	"github.com/skerry/skerry/services/apiserver/admit"
	"github.com/skerry/skerry/services/apiserver/codec"
	"github.com/skerry/skerry/services/apiserver/history"
)

// Write is one change of one object.
type Write struct {
	Kind *schemas.Kind
	Ref  schemas.Ref
	// Old is what New was computed from, read at Revision; nil for a create.
	Old      schemas.Object
	Revision store.Revision
	// New is nil for a removal.
	New schemas.Object
	By  codec.Writer
}

// Writer stores objects.
type Writer interface {
	// Read returns an object, shared, and the revision that a Write names to replace it.
	Read(ref schemas.Ref) (schemas.Object, store.Revision, bool)
	// Put makes the change and returns the object as a client sees it, nil for a
	// removal; store.ErrConflict if the object is not as it was read.
	Put(ctx context.Context, w Write) (schemas.Object, error)
}

// Desired writes desired objects to the state, and keeps their history.
type Desired struct {
	Table   *schemas.Table
	View    *view.View
	State   *store.Store
	History *history.Keeper
}

// Read implements Writer. The revision is read first: if the object changes in
// between, the write conflicts rather than overwriting what was not looked at.
func (d *Desired) Read(ref schemas.Ref) (schemas.Object, store.Revision, bool) {
	rev := d.View.Entries(ref).Desired.Revision
	obj, ok := d.View.Get(ref)
	return obj, rev, ok
}

// Put implements Writer.
func (d *Desired) Put(ctx context.Context, w Write) (schemas.Object, error) {
	op := store.Op{Key: bus.DesiredKey(w.Ref), Revision: w.Revision}
	if w.Old != nil {
		var err error
		if w.By, op.Carry, err = d.keep(ctx, w); err != nil {
			return nil, err
		}
	}
	if w.New == nil {
		_, err := d.apply(ctx, w, op)
		return nil, err
	}
	var err error
	if op.Value, err = codec.EncodeDesired(w.Kind, w.New, w.By); err != nil {
		return nil, err
	}
	if len(op.Value) > codec.MaxSize {
		return nil, store.ErrTooLarge
	}
	rev, err := d.apply(ctx, w, op)
	if err != nil {
		return nil, err
	}
	d.History.Replaced(w.Ref, op.Carry)
	out := w.New
	if w.Old == nil {
		out = join.Join(w.Kind, w.New, nil, nil, nil)
	}
	out.SetResourceVersion(strconv.FormatUint(uint64(rev), 10))
	return out, nil
}

// keep makes sure that a state which ends with w is not lost: it is in the history, or w carries it
// along. It returns who the one that goes on or begins is by, and its number.
func (d *Desired) keep(ctx context.Context, w Write) (by codec.Writer, carry []byte, err error) {
	if !w.Kind.Revisioned || metav1.GetControllerOfNoCopy(w.Old) != nil {
		return w.By, nil, nil
	}
	e, err := d.State.Get(ctx, bus.DesiredKey(w.Ref))
	if errors.Is(err, store.ErrNotFound) || err == nil && e.Revision != w.Revision {
		return w.By, nil, fmt.Errorf("read %s: %w", w.Ref, store.ErrConflict)
	}
	if err != nil {
		return w.By, nil, err
	}
	s, err := codec.ReadStored(e.Value)
	if err != nil {
		return w.By, nil, err
	}
	if w.New == nil {
		return w.By, nil, d.History.Keep(ctx, w.Ref, e)
	}
	if metav1.GetControllerOfNoCopy(w.New) != nil { // what replaces it would not look what it carries
		if err := d.History.Keep(ctx, w.Ref, e); err != nil {
			return w.By, nil, err
		}
	}
	changed := !admit.SameContent(w.Kind, w.New, w.Old)
	by = s.WrittenBy
	if by.Revision = s.Revision(); changed {
		by = w.By
		by.Revision = s.Revision() + 1
	}
	carry, err = d.History.Carry(ctx, w.Ref, e, changed)
	return by, carry, err
}
