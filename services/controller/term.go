package controller

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/bus/lease"
	"github.com/skerry/skerry/bus/record"
	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/bus/view"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/controller/aggregate"
	"github.com/skerry/skerry/services/controller/anchor"
	"github.com/skerry/skerry/services/controller/certificate"
	"github.com/skerry/skerry/services/controller/cluster"
	"github.com/skerry/skerry/services/controller/deployment"
	"github.com/skerry/skerry/services/controller/disruption"
	"github.com/skerry/skerry/services/controller/endpointslice"
	"github.com/skerry/skerry/services/controller/garbage"
	"github.com/skerry/skerry/services/controller/namespace"
	"github.com/skerry/skerry/services/controller/node"
	"github.com/skerry/skerry/services/controller/podgc"
	"github.com/skerry/skerry/services/controller/podgroup"
	"github.com/skerry/skerry/services/controller/replicaset"
	"github.com/skerry/skerry/services/controller/rootca"
	"github.com/skerry/skerry/services/controller/status"
	"github.com/skerry/skerry/services/reconcile"
)

// term is one term of leadership.
type term struct {
	Config
	conn   *bus.Conn
	view   *view.View
	client *api.Client
	events *record.Recorder
}

// part is one controller: which keys a change concerns, and what is done for a key.
type part struct {
	keys func(view.Change) []schemas.Ref
	loop *reconcile.Loop[schemas.Ref]
	// after is how long a key can wait for more changes; nil: not at all.
	after func(view.Change, schemas.Ref) time.Duration
}

func (p part) add(ch view.Change, key schemas.Ref) {
	if p.after != nil {
		if d := p.after(ch, key); d > 0 {
			p.loop.AddAfter(key, d)
			return
		}
	}
	p.loop.Add(key)
}

// nodesAtOnce is how many nodes are reconciled at a time. Each may be a write that is synced
// before it is answered, and those that wait together are synced together: of one at a time,
// thousands of nodes that come at once are ready minutes later.
const nodesAtOnce = 64

// garbageAtOnce is how many objects are collected at a time: two requests of as many as go into
// one are on their way then, and one is looked at while the other is stored.
const garbageAtOnce = 2 * api.MaxMany

// run runs all controllers until ctx ends.
func (t *term) run(ctx context.Context) error {
	hands := &cluster.Bus{View: t.view, Client: t.client, Gather: api.NewGatherer(t.client), State: store.New(t.conn, bus.BucketState), Table: t.Table}
	// A predecessor's last writes must be in sight before the first plan.
	if err := hands.Refresh(ctx); err != nil {
		return fmt.Errorf("begin term: %w", err)
	}
	c := &cluster.Cluster{View: t.view, API: hands, Status: hands, Truth: hands, Events: t.events, Table: t.Table, Log: t.Log, Now: t.Now}
	nodes, err := node.New(t.as(c, "node-controller"), node.Config{Grace: t.NodeMonitorGrace, EvictionEvery: t.EvictionInterval, ClusterCIDR: t.ClusterCIDR})
	if err != nil {
		return fmt.Errorf("begin term: %w", err)
	}
	tenants := nodes.Tenants()
	pods := podgc.New(c, t.PodQuarantine, t.TerminatedPods)
	sweeper := status.NewSweeper(c, t.view.Orphans)
	roles := aggregate.New(c)
	deployments, sets := deployment.New(t.as(c, "deployment-controller")), replicaset.New(t.as(c, "replicaset-controller"))
	collector, spaces, requests := garbage.New(c), namespace.New(c), certificate.New(c)

	nodeLoop := t.loop("node", nodesAtOnce, nodes.Reconcile)
	budgets, groups, endpoints := disruption.New(t.as(c, "controllermanager")), podgroup.New(c), endpointslice.New(t.as(c, "endpoint-slice-controller"))
	mirror := endpointslice.NewMirror(t.as(c, "endpoint-slice-mirroring-controller"))
	podLoop := t.loop("podgc", 1, pods.Reconcile)
	sweepLoop := t.loop("sweep", 2, sweeper.Reconcile)
	parts := []part{
		{deployments.Keys, t.loop("deployment", 5, deployments.Reconcile), nil},
		{sets.Keys, t.loop("replicaset", 5, sets.Reconcile), sets.After},
		{collector.Keys, t.loop("garbage", garbageAtOnce, collector.Reconcile), nil},
		{spaces.Keys, t.loop("namespace", 4, spaces.Reconcile), nil},
		{nodes.Keys, nodeLoop, nil},
		{tenants.Keys, t.loop("tenant", 4, tenants.Reconcile), nil},
		{pods.Keys, podLoop, nil},
		{sweeper.Keys, sweepLoop, nil},
		{roles.Keys, t.loop("aggregate", 1, roles.Reconcile), nil},
		{budgets.Keys, t.loop("disruption", 2, budgets.Reconcile), nil},
		{groups.Keys, t.loop("podgroup", 2, groups.Reconcile), groups.After},
		{endpoints.Keys, t.loop("endpointslice", 5, endpoints.Reconcile), endpoints.After},
		{mirror.Keys, t.loop("mirror", 5, mirror.Reconcile), nil},
		{requests.Keys, t.loop("certificate", 2, requests.Reconcile), nil},
	}
	parts = append(parts, t.trust(c)...)
	podLoop.Add(pods.Key())
	sweepLoop.Add(sweeper.Key())

	g, ctx := errgroup.WithContext(ctx)
	for _, p := range parts {
		g.Go(func() error { return p.loop.Run(ctx) })
	}
	defer t.view.Handle(func(ch view.Change) {
		for _, p := range parts {
			for _, key := range p.keys(ch) {
				p.add(ch, key)
			}
		}
	})()
	defer t.conn.OnReconnect(func() { nodes.BusBack(nodeLoop.Add) })()
	g.Go(func() error {
		return lease.Listen(ctx, t.conn, func(b lease.Beat) { nodes.Heard(b, nodeLoop.Add) })
	})
	return g.Wait()
}

// trust are those that publish the authority of the HTTP API, if there is one.
func (t *term) trust(c *cluster.Cluster) []part {
	if t.RootCA == "" {
		return nil
	}
	authority, anchors := rootca.New(c, t.RootCA), anchor.New(c, t.RootCA)
	anchorLoop := t.loop("anchor", 1, anchors.Reconcile)
	anchorLoop.Add(anchors.Key())
	return []part{
		{authority.Keys, t.loop("rootca", 2, authority.Reconcile), nil},
		{anchors.Keys, anchorLoop, nil},
	}
}

// as is c for a controller whose events come from component, as Kubernetes calls it.
func (t *term) as(c *cluster.Cluster, component string) *cluster.Cluster {
	own := *c
	own.Events = t.events.As(component)
	return &own
}

func (t *term) loop(name string, workers int, f reconcile.Func[schemas.Ref]) *reconcile.Loop[schemas.Ref] {
	return reconcile.New(name, workers, t.Log, f)
}
