//go:build linux

// Package fleet runs many agents in one process, on the real bus, over simulated
// runtimes: what `skerry simulate` does.
//
// Each node is an agent as it is, with the node's own credentials and its own
// connection, so that it can write and read what that node may and nothing else; only
// the containers are not there (package fake), and nothing is kept on disk.
//
// What always holds: what happens to which node follows from the seed; a node leaves
// by its connection's being cut, without a farewell; when Run returns nothing runs.
package fleet

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/pause"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/share"
	"github.com/skerry/skerry/services/agent"
	"github.com/skerry/skerry/services/agent/fake"
	"github.com/skerry/skerry/services/agent/keep"
)

// Config is what a fleet is like.
type Config struct {
	// Prefix and First make the nodes' names: sim-0, sim-1, …
	Prefix       string
	First, Nodes int
	Capacity     v1.ResourceList // of each node
	MaxPods      int64
	Labels       func(i int) map[string]string // may be nil

	Runtime fake.Config
	// Leave is the mean time after which a node's connection is cut; 0: never. It stays
	// away for Away.
	Leave, Away time.Duration

	// Connect connects as node with node's credentials, through d.
	Connect func(ctx context.Context, node schemas.NodeName, d *Dialer) (*bus.Conn, error)
	Table   *schemas.Table
	Version string
	Log     *slog.Logger
}

// atOnce is how many nodes connect at a time.
const atOnce = 32

// Fleet is running agents.
type Fleet struct {
	Config
	alike *share.Pool // of all nodes' pods
	up    atomic.Int64
	full  chan struct{} // closed when every node has connected once
}

// New returns a fleet; Run runs it.
func New(c Config) *Fleet {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Fleet{Config: c, alike: share.New(), full: make(chan struct{})}
}

// Connected closes when every node has been connected once.
func (f *Fleet) Connected() <-chan struct{} { return f.full }

// Run runs the nodes until ctx ends or one of them fails.
func (f *Fleet) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	slots := make(chan struct{}, atOnce)
	for i := range f.Nodes {
		g.Go(func() error {
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
				return ctx.Err()
			}
			err := f.run(ctx, f.First+i, func() { <-slots })
			if err != nil && ctx.Err() == nil {
				return fmt.Errorf("node %s: %w", f.name(f.First+i), err)
			}
			return err
		})
	}
	if err := g.Wait(); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

func (f *Fleet) name(i int) schemas.NodeName {
	return schemas.NodeName(fmt.Sprintf("%s-%d", f.Prefix, i))
}

// run runs one node. connected is called once it has its connection.
func (f *Fleet) run(ctx context.Context, i int, connected func()) error {
	name := f.name(i)
	d := &Dialer{}
	conn, err := f.Connect(ctx, name, d)
	connected()
	if err != nil {
		return err
	}
	defer conn.Close()
	if f.up.Add(1) == int64(f.Nodes) {
		close(f.full)
	}
	c := agent.Config{
		Node: name, Table: f.Table, Log: f.Log.With("node", name), Version: f.Version,
		Address: address(i), MaxPods: f.MaxPods, Capacity: f.Capacity,
		Runtime: fake.New(f.Runtime), Keep: keep.Nothing{}, Alike: f.alike,
	}
	if f.Labels != nil {
		c.Labels = f.Labels(i)
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return agent.Run(ctx, conn, c) })
	if f.Leave > 0 {
		g.Go(func() error { return f.churn(ctx, name, d) })
	}
	return g.Wait()
}

// churn cuts the node's connection from time to time.
func (f *Fleet) churn(ctx context.Context, name schemas.NodeName, d *Dialer) error {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name))
	dice := rand.New(rand.NewPCG(f.Runtime.Seed, h.Sum64()))
	for {
		if err := pause.For(ctx, time.Duration(dice.ExpFloat64()*float64(f.Leave))); err != nil {
			return err
		}
		f.Log.Info("a simulated node leaves", "node", name, "for", f.Away)
		d.Cut()
		if err := pause.For(ctx, f.Away); err != nil {
			return err
		}
		d.Mend()
	}
}

// address is the i-th host's, of the range that is set aside for measurements (RFC 2544).
func address(i int) string { return fmt.Sprintf("198.18.%d.%d", i>>8&0xff, i&0xff) }
