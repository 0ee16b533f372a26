package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/apiserver/allot"
)

// errTaken is the conflict of a write whose object is as it was read, but another object
// has what it would reserve.
var errTaken = fmt.Errorf("%w: what the object is to have is another's", store.ErrConflict)

// holder is the value of a reserved key.
type holder struct {
	Key bus.Key   `json:"key"` // of the object that has it
	UID types.UID `json:"uid"`
}

// apply writes op, and with it, all or nothing, takes and frees the keys that w's object
// holds from then on or no more.
func (d *Desired) apply(ctx context.Context, w Write, op store.Op) (store.Revision, error) {
	take, free := allot.Moves(w.Old, w.New)
	if len(take)+len(free) == 0 {
		return d.State.Apply(ctx, op)
	}
	ops := make([]store.Op, 0, len(take)+len(free)+1)
	for _, k := range take {
		value, err := json.Marshal(holder{op.Key, w.New.GetUID()})
		if err != nil {
			return 0, fmt.Errorf("encode holder of %s: %w", k, err)
		}
		ops = append(ops, store.Op{Key: k, Value: value})
	}
	for _, k := range free {
		e, err := d.State.Get(ctx, k)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("read %s: %w", k, err)
		}
		ops = append(ops, store.Op{Key: k, Revision: e.Revision})
	}
	rev, err := d.State.Apply(ctx, append(ops, op)...) // the object last: its revision is returned
	if errors.Is(err, store.ErrConflict) {
		return 0, d.blame(ctx, op, take, err)
	}
	return rev, err
}

// blame finds out whether the refusal of a batch was for what it was to take. A key that
// no object holds, which no write of this program leaves, is given back.
func (d *Desired) blame(ctx context.Context, op store.Op, take []bus.Key, refused error) error {
	e, err := d.State.Get(ctx, op.Key)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("read %s: %w", op.Key, err)
	}
	there := err == nil
	if there != (op.Revision != 0) || there && e.Revision != op.Revision {
		return refused
	}
	for _, k := range take {
		e, err := d.State.Get(ctx, k)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", k, err)
		}
		held, err := d.held(ctx, k, e.Value)
		if err != nil {
			return err
		}
		if !held {
			if _, err := d.State.Delete(ctx, k, e.Revision); err != nil && !errors.Is(err, store.ErrConflict) {
				return fmt.Errorf("free %s: %w", k, err)
			}
		}
	}
	return errTaken
}

// held tells whether the object that value names holds k.
func (d *Desired) held(ctx context.Context, k bus.Key, value []byte) (bool, error) {
	var h holder
	if json.Unmarshal(value, &h) != nil {
		return false, nil
	}
	key, err := bus.ParseStateKey(h.Key)
	kind := d.Table.ByResource(key.Ref.Resource)
	if err != nil || kind == nil {
		return err == nil, nil // an object of a kind that this version does not know has it
	}
	e, err := d.State.Get(ctx, h.Key)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read %s: %w", h.Key, err)
	}
	if err := d.View.WaitFor(ctx, e.Revision); err != nil {
		return false, err // the next choice is made with it in sight
	}
	obj := kind.New()
	if err := json.Unmarshal(e.Value, obj); err != nil {
		return false, fmt.Errorf("decode %s: %w", h.Key, err)
	}
	return obj.GetUID() == h.UID && slices.Contains(allot.Held(obj), k), nil
}

// freshFor makes the copy fresh for a write that chooses what no other object has.
func (g *Registry) freshFor(ctx context.Context, k *schemas.Kind) error {
	if k.Resource != schemas.Services {
		return nil
	}
	return g.State.Fresh(ctx)
}
