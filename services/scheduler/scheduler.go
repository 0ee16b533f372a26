package scheduler

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"
	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/bus/lease"
	"github.com/skerry/skerry/bus/record"
	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/bus/view"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/scheduler/place"
)

// Config is what a scheduler needs besides its connection.
type Config struct {
	// ID names this replica in the election.
	ID string
	// Name is the spec.schedulerName that this scheduler answers to.
	Name string
	// Policy says how nodes are scored.
	Policy place.Policy
	// Rebalance is how pods are moved for the sake of evenness; zero is not at all.
	Rebalance Rebalance
	Table     *schemas.Table
	Log       *slog.Logger
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// View is a copy of the state that another service of this process keeps up; nil
	// is one of its own.
	View *view.View
}

// Run schedules while it leads, until ctx ends and all that it started has stopped.
func Run(ctx context.Context, conn *bus.Conn, c Config) error {
	if c.Name == "" {
		c.Name = v1.DefaultSchedulerName
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	v := c.View
	if v == nil {
		v = view.New(conn, c.Table)
	}
	recorder := record.New(api.NewClient(conn, c.Table), c.Name, "")
	g, ctx := errgroup.WithContext(ctx)
	if c.View == nil {
		g.Go(func() error { return v.Run(ctx) })
	}
	g.Go(func() error { return recorder.Run(ctx) })
	g.Go(func() error {
		return lease.Lead(ctx, conn, bus.SchedulerLease(c.Name), c.ID, func(ctx context.Context) error {
			if err := v.WaitSynced(ctx); err != nil {
				return err
			}
			st := store.New(conn, bus.BucketState)
			if rev, err := st.Last(ctx); err != nil {
				return fmt.Errorf("look what the former leader wrote: %w", err)
			} else if err := v.WaitFor(ctx, rev); err != nil {
				return err
			}
			s := &scheduler{Config: c, view: v, store: st, events: recorder, conn: conn, memory: newMemory(), refused: map[schemas.Ref]bool{}, victims: make(chan eviction, evictable)}
			return s.lead(ctx, conn)
		})
	})
	if err := g.Wait(); !errors.Is(err, context.Canceled) {
		return fmt.Errorf("run scheduler: %w", err)
	}
	return nil
}

// scheduler is one term of leadership.
type scheduler struct {
	Config
	view   *view.View
	store  *store.Store
	events *record.Recorder
	conn   *bus.Conn
	state  *mirror
	memory *memory
	// refused are pods whose last placement the default scheduler refused.
	refused map[schemas.Ref]bool
	// victims are pods that have to go.
	victims chan eviction
}

// keepsOrders tells whether this scheduler keeps the work orders of all pods in step.
func (s *scheduler) keepsOrders() bool { return s.Name == v1.DefaultSchedulerName }

// change takes one change of the view.
func (s *scheduler) change(c view.Change) {
	s.state.change(c)
	if c.Type == view.Deleted && c.Ref.Resource == schemas.Pods {
		s.memory.drop(c.Object.GetUID())
	}
}

// batch is how many pods one cycle takes: small enough that a burst's first pods
// do not wait for its last, large enough to share an fsync.
const batch = 256

func (s *scheduler) lead(ctx context.Context, conn *bus.Conn) error {
	s.state = newMirror(s.Name, s.Policy)
	stop := s.view.Handle(s.change)
	defer stop()
	g, ctx := errgroup.WithContext(ctx)
	if s.keepsOrders() {
		g.Go(func() error { return serveBind(ctx, conn, s) })
		g.Go(func() error { return serveClaims(ctx, conn, s) })
		g.Go(func() error { return serveExplain(ctx, conn, s) })
	}
	g.Go(func() error { return s.evictions(ctx, api.NewClient(conn, s.Table)) })
	if s.Rebalance.Every > 0 {
		g.Go(func() error { return s.rebalance(ctx, api.NewClient(conn, s.Table)) })
	}
	g.Go(func() error { return s.loop(ctx) })
	return g.Wait()
}
