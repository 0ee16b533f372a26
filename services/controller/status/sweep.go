package status

import (
	"context"
	"errors"
	"time"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/bus/view"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/controller/cluster"
)

// every is how often leftovers are looked for though nothing was deleted.
const every = 10 * time.Minute

// all is the only key: what is left over is found all at once.
var all = schemas.Ref{}

// Sweeper forgets conclusions about objects that are gone.
type Sweeper struct {
	c       *cluster.Cluster
	orphans func(prefixes ...string) []view.Orphan
}

// NewSweeper returns a sweeper of what orphans (a view's) finds.
func NewSweeper(c *cluster.Cluster, orphans func(prefixes ...string) []view.Orphan) *Sweeper {
	return &Sweeper{c: c, orphans: orphans}
}

// Key is what the sweeper is first woken with; later it wakes itself.
func (s *Sweeper) Key() schemas.Ref { return all }

// Keys wakes the sweeper when something was deleted.
func (s *Sweeper) Keys(ch view.Change) []schemas.Ref {
	if ch.Type != view.Deleted {
		return nil
	}
	return []schemas.Ref{all}
}

// Reconcile forgets what was concluded about objects that are gone. A key that has
// moved on since is a new object's.
func (s *Sweeper) Reconcile(ctx context.Context, _ schemas.Ref) (time.Duration, error) {
	var errs []error
	for _, o := range s.orphans(bus.PrefixCurrent) {
		uid, err := s.c.Truth.UID(ctx, o.Ref)
		if err == nil && uid != o.UID {
			err = s.c.Status.Forget(ctx, o)
		}
		if err != nil && !errors.Is(err, store.ErrConflict) {
			errs = append(errs, err)
		}
	}
	return every, errors.Join(errs...)
}
