package history

import (
	"context"
	"errors"
	"time"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/pause"
	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/schemas"
)

const (
	// gather is how long former values wait for others, to be kept together in one atomic batch.
	gather = 200 * time.Millisecond
	// maxConflicts is how often another apiserver may be faster with one object's values.
	maxConflicts = 3
)

// Replaced is told that a write has been stored which carries this along: Run keeps that.
func (k *Keeper) Replaced(ref schemas.Ref, carry []byte) {
	if len(carry) == 0 {
		return
	}
	k.mu.Lock()
	k.replaced[ref] = carry // with all that is not kept of what it carried before
	k.mu.Unlock()
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// Run keeps what was replaced, until ctx ends. What it does not come to, or fails with, goes on being
// carried, and is kept before the value that carries it is overwritten in turn.
func (k *Keeper) Run(ctx context.Context) error {
	for {
		select {
		case <-k.wake:
		case <-ctx.Done():
			return nil
		}
		if pause.For(ctx, gather) != nil {
			return nil
		}
		k.mu.Lock()
		work := k.replaced
		k.replaced = map[schemas.Ref][]byte{}
		k.mu.Unlock()
		k.keepReplaced(ctx, work)
	}
}

// todo is what of an object is to be kept.
type todo struct {
	list      []former
	conflicts int
}

// keepReplaced keeps the values of many objects: of each its oldest one together with the
// others', then the next ones.
func (k *Keeper) keepReplaced(ctx context.Context, work map[schemas.Ref][]byte) {
	todos := make(map[schemas.Ref]*todo, len(work))
	for ref, carry := range work {
		if list, err := unpack(carry); err == nil { // what pack made
			todos[ref] = &todo{list: list}
		}
	}
	for len(todos) > 0 && ctx.Err() == nil {
		k.round(ctx, todos)
	}
}

// round keeps the oldest value of each. What is done or failed leaves todos.
func (k *Keeper) round(ctx context.Context, todos map[schemas.Ref]*todo) {
	var refs []schemas.Ref
	var ops []store.Op
	for ref, t := range todos {
		k.mu.Lock()
		m := k.known[ref] // if it is not known there is hardly anything: a conflict will tell
		k.mu.Unlock()
		if t.list = after(t.list, m.sequence); len(t.list) == 0 {
			delete(todos, ref)
			continue
		}
		refs = append(refs, ref)
		ops = append(ops, store.Op{Key: bus.RevisionKey(ref), Value: encode(t.list[0]), Revision: m.revision})
	}
	revs, errs := k.revisions.Each(ctx, ops...)
	for i, ref := range refs {
		t := todos[ref]
		if errs[i] == nil {
			k.remember(ref, mark{sequence: t.list[0].sequence, revision: revs[i]})
			continue
		}
		t.conflicts++
		again := errors.Is(errs[i], store.ErrConflict) && t.conflicts <= maxConflicts
		if again {
			k.forget(ref)
			_, err := k.newest(ctx, ref)
			again = err == nil
		}
		if !again {
			delete(todos, ref)
		}
	}
}
