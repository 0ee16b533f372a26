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

	wake chan struct{} // something was replaced

	mu       sync.Mutex
	known    map[schemas.Ref]mark
	replaced map[schemas.Ref][]byte // what was carried along, to be kept
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

// New returns the keeper of the bucket revisions. Run is to be run.
func New(conn *bus.Conn) *Keeper {
	return &Keeper{revisions: store.New(conn, bus.BucketRevisions), wake: make(chan struct{}, 1),
		known: map[schemas.Ref]mark{}, replaced: map[schemas.Ref][]byte{}}
}

// Keep makes sure that e, the desired value of ref, is in the history, and what e carries before it.
func (k *Keeper) Keep(ctx context.Context, ref schemas.Ref, e store.Entry) error {
	list, err := unpack(e.Carried)
	if err != nil {
		return fmt.Errorf("keep %s: %w", ref, err)
	}
	return k.keepAll(ctx, ref, append(list, former{e.Revision, e.Value}))
}

// keepAll makes sure that list, in order, is in the history of ref.
func (k *Keeper) keepAll(ctx context.Context, ref schemas.Ref, list []former) error {
	for len(list) > 0 {
		m, err := k.newest(ctx, ref)
		if err != nil {
			return fmt.Errorf("keep %s: %w", ref, err)
		}
		if list = after(list, m.sequence); len(list) == 0 {
			return nil
		}
		rev, err := k.revisions.Update(ctx, bus.RevisionKey(ref), encode(list[0]), m.revision)
		switch {
		case err == nil:
			k.remember(ref, mark{sequence: list[0].sequence, revision: rev})
		case errors.Is(err, store.ErrConflict): // another replica kept something: look again
			k.forget(ref)
		default:
			return fmt.Errorf("keep %s: %w", ref, err)
		}
	}
	return nil
}

// encode makes a kept of f, whose value is JSON already.
func encode(f former) []byte {
	return fmt.Appendf(nil, `{"sequence":%d,"value":%s}`, f.sequence, f.value)
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
