package history

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/schemas"
)

// maxKnown bounds the memory of what is kept; beyond it, it is learned again.
const maxKnown = 10000

// Keeper writes and reads the history. Safe for concurrent use.
type Keeper struct {
	revisions *store.Store

	mu    sync.Mutex
	known map[schemas.Ref]mark
}

// mark is what the newest entry of an object's history is.
type mark struct {
	sequence store.Revision // of the value in state
	revision store.Revision // of the entry in revisions
}

// kept is one entry: the stored value, and its sequence in state, by which a value is
// known to be kept.
type kept struct {
	Sequence store.Revision  `json:"sequence"`
	Value    json.RawMessage `json:"value"`
}

// New returns the keeper of the bucket revisions.
func New(conn *bus.Conn) *Keeper {
	return &Keeper{revisions: store.New(conn, bus.BucketRevisions), known: map[schemas.Ref]mark{}}
}

// Keep makes sure that e, the desired value of ref, is in the history.
func (k *Keeper) Keep(ctx context.Context, ref schemas.Ref, e store.Entry) error {
	data, err := json.Marshal(kept{Sequence: e.Revision, Value: e.Value})
	if err != nil {
		return fmt.Errorf("keep %s: %w", ref, err)
	}
	for {
		m, err := k.newest(ctx, ref)
		if err != nil {
			return fmt.Errorf("keep %s: %w", ref, err)
		}
		if m.sequence >= e.Revision {
			return nil
		}
		rev, err := k.revisions.Update(ctx, bus.RevisionKey(ref), data, m.revision)
		if err == nil {
			k.remember(ref, mark{sequence: e.Revision, revision: rev})
			return nil
		}
		if !errors.Is(err, store.ErrConflict) {
			return fmt.Errorf("keep %s: %w", ref, err)
		}
		// Another replica kept something: look again.
		k.forget(ref)
	}
}

// newest returns what the last entry of ref's history is, the zero mark if it has none.
func (k *Keeper) newest(ctx context.Context, ref schemas.Ref) (mark, error) {
	k.mu.Lock()
	m, ok := k.known[ref]
	k.mu.Unlock()
	if ok {
		return m, nil
	}
	e, err := k.revisions.Get(ctx, bus.RevisionKey(ref))
	if errors.Is(err, store.ErrNotFound) {
		return mark{revision: e.Revision}, nil
	}
	if err != nil {
		return mark{}, err
	}
	var last kept
	if err := json.Unmarshal(e.Value, &last); err != nil {
		return mark{}, fmt.Errorf("decode the last revision: %w", err)
	}
	m = mark{sequence: last.Sequence, revision: e.Revision}
	k.remember(ref, m)
	return m, nil
}

func (k *Keeper) remember(ref schemas.Ref, m mark) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.known) >= maxKnown {
		clear(k.known)
	}
	k.known[ref] = m
}

func (k *Keeper) forget(ref schemas.Ref) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.known, ref)
}
