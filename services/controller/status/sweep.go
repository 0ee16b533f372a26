package status

import (
	"context"
	"fmt"
	"time"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/bus/view"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/controller/cluster"
)

// every is how often all of current is compared with what there is.
const every = 10 * time.Minute

// everything is the key of the comparison; other keys are single objects.
var everything = schemas.Ref{}

// Sweeper forgets conclusions about objects that are gone.
type Sweeper struct {
	c    *cluster.Cluster
	list store.Lister
}

// NewSweeper returns a sweeper; list lists the state bucket.
func NewSweeper(c *cluster.Cluster, list store.Lister) *Sweeper { return &Sweeper{c: c, list: list} }

// Key is what the sweeper is first woken with; later it wakes itself.
func (s *Sweeper) Key() schemas.Ref { return everything }

// Keys returns the objects that were deleted.
func (s *Sweeper) Keys(ch view.Change) []schemas.Ref {
	if ch.Type != view.Deleted {
		return nil
	}
	return []schemas.Ref{ch.Ref}
}

// Reconcile forgets what was concluded about key, or about everything, if it is gone.
func (s *Sweeper) Reconcile(ctx context.Context, key schemas.Ref) (time.Duration, error) {
	if key != everything {
		return 0, s.forget(ctx, key)
	}
	entries, _, err := s.list.List(ctx, bus.PrefixCurrent+".>")
	if err != nil {
		return 0, fmt.Errorf("list conclusions: %w", err)
	}
	for _, e := range entries {
		k, err := bus.ParseStateKey(e.Key)
		if err != nil || e.Deleted || s.c.Table.ByResource(k.Ref.Resource) == nil {
			continue
		}
		if err := s.forget(ctx, k.Ref); err != nil {
			return 0, err
		}
	}
	return every, nil
}

func (s *Sweeper) forget(ctx context.Context, ref schemas.Ref) error {
	if _, there := s.c.View.Get(ref); there {
		return nil // a new object of the same name: its own conclusions replace the old
	}
	uid, err := s.c.Truth.UID(ctx, ref)
	if err != nil || uid != "" {
		return err
	}
	return s.c.Status.Forget(ctx, ref)
}
