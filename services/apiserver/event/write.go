package event

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/apiserver/registry"
)

// Writer stores events.
type Writer struct {
	Log *Log
	Now func() time.Time
}

// Read implements registry.Writer: an event is replaced at its own revision.
func (w Writer) Read(ref schemas.Ref) (schemas.Object, store.Revision, bool) {
	obj, ok := w.Log.Get(ref)
	if !ok {
		return nil, 0, false
	}
	rev, err := strconv.ParseUint(obj.GetResourceVersion(), 10, 64)
	return obj, store.Revision(rev), err == nil
}

// Put implements registry.Writer. A new event that says what a stored one says is
// counted into it; it comes back under that one's name.
func (w Writer) Put(ctx context.Context, c registry.Write) (schemas.Object, error) {
	if c.New == nil {
		_, err := w.Log.stream.Delete(ctx, keyOf(c.Ref), c.Revision)
		return nil, err
	}
	e, ok := c.New.(*v1.Event)
	if !ok {
		return nil, fmt.Errorf("store event: it is a %T", c.New)
	}
	if c.Old != nil {
		return w.store(ctx, c.Ref, e, c.Revision)
	}
	c.Ref.Name = schemas.Name(Name(e))
	last, rev, known := w.Read(c.Ref)
	for {
		next := first(e, w.Now())
		if known {
			stored, ok := last.(*v1.Event)
			if !ok {
				return nil, fmt.Errorf("store event: the stored one is a %T", last)
			}
			next = merge(stored, e, w.Now())
		}
		next.Name = string(c.Ref.Name)
		out, err := w.store(ctx, c.Ref, next, rev)
		if !errors.Is(err, store.ErrConflict) {
			return out, err
		}
		// The copy was behind: ask the stream.
		if last, rev, known, err = w.newest(ctx, c.Ref); err != nil {
			return nil, err
		}
	}
}

func (w Writer) newest(ctx context.Context, ref schemas.Ref) (schemas.Object, store.Revision, bool, error) {
	entry, err := w.Log.stream.Get(ctx, keyOf(ref))
	if errors.Is(err, store.ErrNotFound) {
		return nil, 0, false, nil
	}
	if err != nil {
		return nil, 0, false, err
	}
	stored, err := decode(entry)
	return stored, entry.Revision, true, err
}

func (w Writer) store(ctx context.Context, ref schemas.Ref, e *v1.Event, rev store.Revision) (schemas.Object, error) {
	out := *e
	out.ResourceVersion, out.ManagedFields = "", nil
	data, err := json.Marshal(&out)
	if err != nil {
		return nil, fmt.Errorf("encode event %s: %w", ref, err)
	}
	at, err := w.Log.stream.Update(ctx, keyOf(ref), data, rev)
	if err != nil {
		return nil, err
	}
	out.ResourceVersion = strconv.FormatUint(uint64(at), 10)
	return &out, nil
}
