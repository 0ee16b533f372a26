package history

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/apiserver/codec"
)

// maxEntries is how many entries of one object are read: as many as are kept.
const maxEntries = 250

// List returns the revisions of ref, oldest first. current is its desired value now,
// with a nil Value if it is deleted.
func (k *Keeper) List(ctx context.Context, ref schemas.Ref, current store.Entry) ([]api.Revision, error) {
	entries, err := k.revisions.History(ctx, bus.RevisionKey(ref), maxEntries)
	if err != nil {
		return nil, fmt.Errorf("list history of %s: %w", ref, err)
	}
	var all []kept
	for _, e := range entries {
		if e.Deleted {
			continue
		}
		var one kept
		if err := json.Unmarshal(e.Value, &one); err != nil {
			return nil, fmt.Errorf("decode revision %d of %s: %w", e.Revision, ref, err)
		}
		all = append(all, one)
	}
	carried, err := unpack(current.Carried)
	if err != nil {
		return nil, fmt.Errorf("list history of %s: %w", ref, err)
	}
	if len(all) > 0 {
		carried = after(carried, all[len(all)-1].Sequence)
	}
	for _, f := range carried {
		all = append(all, kept{Sequence: f.sequence, Value: f.value})
	}
	if current.Value != nil {
		all = append(all, kept{Sequence: current.Revision, Value: current.Value})
	}
	return revisions(all, current.Value != nil)
}

// revisions turns values, oldest first, into one revision for each number of each
// object that had the name. exists tells that the last value is the one desired now.
func revisions(all []kept, exists bool) ([]api.Revision, error) {
	var out []api.Revision
	var uids []string
	for i, one := range all {
		s, err := codec.ReadStored(one.Value)
		if err != nil {
			return nil, err
		}
		object, err := codec.Plain(one.Value)
		if err != nil {
			return nil, err
		}
		r := api.Revision{Number: s.Revision(), Time: s.WrittenBy.Time, User: s.WrittenBy.User,
			Object: object, Current: exists && i == len(all)-1}
		if last := len(out) - 1; last >= 0 && uids[last] == s.Metadata.UID && out[last].Number == r.Number {
			out[last] = r
			continue
		}
		out = append(out, r)
		uids = append(uids, s.Metadata.UID)
	}
	markDeleted(out, uids)
	return slices.Clip(out), nil
}

// markDeleted marks the last revision of each object that is gone.
func markDeleted(out []api.Revision, uids []string) {
	for i := range out {
		last := i == len(out)-1 || uids[i+1] != uids[i]
		out[i].Deleted = last && !out[i].Current
	}
}
