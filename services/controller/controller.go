// Package controller is the controller manager: it turns what is desired into what
// the scheduler and the agents can act on, and concludes from what they report how
// things stand. Each behaviour has its folder; this one elects, wires and runs them.
//
// Reads: all of the state, as one bus/view; heartbeats.
// Writes: metadata and specs through the apiserver; current.>; events.
// What always holds: only the leader's controllers run; every replica answers
// status writes, which are compare-and-swaps; when Run returns, nothing runs.
package controller

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/bus/lease"
	"github.com/skerry/skerry/bus/pause"
	"github.com/skerry/skerry/bus/record"
	"github.com/skerry/skerry/bus/view"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/controller/status"
)

// Config is what a controller needs besides its connection. Zero values of the
// timings and limits stand for Kubernetes' defaults.
type Config struct {
	// ID names this replica in the election.
	ID    string
	Table *schemas.Table
	Log   *slog.Logger
	// ClusterCIDR is the IPv4 range of which each node gets a /24; 10.244.0.0/16.
	ClusterCIDR string
	// NodeMonitorGrace is how long the bus must have been in sight before a silent
	// node is called lost; 40 s. A node that stops while the bus is in sight is
	// lost as soon as its silence has lasted.
	NodeMonitorGrace time.Duration
	// EvictionInterval is the time between two nodes' losing their pods; 10 s.
	EvictionInterval time.Duration
	// PodQuarantine is how long a node must be missing before its pods go; 40 s.
	PodQuarantine time.Duration
	// TerminatedPods is how many ended pods are kept; 12,500.
	TerminatedPods int
	// RootCA is the certificate authority of the HTTP API, as PEM, to publish in every
	// namespace; empty: there is none.
	RootCA string
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// View is a copy of the state that another service of this process keeps up; nil
	// is one of its own.
	View *view.View
}

func (c *Config) complete() {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.ClusterCIDR == "" {
		c.ClusterCIDR = "10.244.0.0/16"
	}
	for _, d := range []struct {
		at    *time.Duration
		value time.Duration
	}{{&c.NodeMonitorGrace, 40 * time.Second}, {&c.EvictionInterval, 10 * time.Second}, {&c.PodQuarantine, 40 * time.Second}} {
		if *d.at == 0 {
			*d.at = d.value
		}
	}
	if c.TerminatedPods == 0 {
		c.TerminatedPods = 12_500
	}
	if c.Now == nil {
		c.Now = time.Now
	}
}

// Run runs this replica until ctx ends and all that it started has stopped.
func Run(ctx context.Context, conn *bus.Conn, c Config) error {
	c.complete()
	v := c.View
	if v == nil {
		v = view.New(conn, c.Table)
	}
	client := api.NewClient(conn, c.Table)
	events := record.New(client, "controller", "")
	g, ctx := errgroup.WithContext(ctx)
	if c.View == nil {
		g.Go(func() error { return v.Run(ctx) })
	}
	g.Go(func() error { return events.Run(ctx) })
	g.Go(func() error { return status.NewEndpoint(conn, c.Table, c.Log).Serve(ctx, conn) })
	g.Go(func() error {
		return lead(ctx, conn, c, func(ctx context.Context) error {
			if err := v.WaitSynced(ctx); err != nil {
				return err
			}
			return (&term{Config: c, conn: conn, view: v, client: client, events: events}).run(ctx)
		})
	})
	if err := g.Wait(); !errors.Is(err, context.Canceled) {
		return fmt.Errorf("run controller: %w", err)
	}
	return nil
}

// lead stands for election for ever: a term that failed is followed by another.
func lead(ctx context.Context, conn *bus.Conn, c Config, f func(context.Context) error) error {
	for {
		err := lease.Lead(ctx, conn, "controller", c.ID, f)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		c.Log.Error("term ended early", "error", err)
		if err := pause.For(ctx, time.Second+rand.N(time.Second)); err != nil {
			return err
		}
	}
}
