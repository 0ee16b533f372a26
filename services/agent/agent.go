//go:build linux

// Package agent runs the pods of one host on its Podman.
//
// Reads: its work orders (assigned.<node>.>), the ConfigMaps and Secrets that its
// pods refer to, its Node, and Podman. Writes: observed.<node>.>, heartbeats,
// events, its Node's labels, the removal of pods that have ended; Podman's pods and
// networks; and what it keeps under its data directory.
// What always holds: without the bus, pods keep running and are restarted; a
// restarted agent adopts what runs; nothing is removed for lack of a work order before the
// bus has listed the orders; and a Podman that hangs hangs only what waits for it.
//
// The way of a work order: orders.go → pod (plan, apply) → podman → status → bus.
package agent

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"
	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/bus/lease"
	"github.com/skerry/skerry/bus/record"
	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/share"
	"github.com/skerry/skerry/services/agent/action"
	"github.com/skerry/skerry/services/agent/cgroup"
	"github.com/skerry/skerry/services/agent/device"
	"github.com/skerry/skerry/services/agent/disk"
	"github.com/skerry/skerry/services/agent/eviction"
	"github.com/skerry/skerry/services/agent/keep"
	"github.com/skerry/skerry/services/agent/logfile"
	"github.com/skerry/skerry/services/agent/network"
	"github.com/skerry/skerry/services/agent/node"
	"github.com/skerry/skerry/services/agent/pod"
	"github.com/skerry/skerry/services/agent/podman"
	"github.com/skerry/skerry/services/agent/resolver"
	"github.com/skerry/skerry/services/agent/space"
	"github.com/skerry/skerry/services/agent/status"
	"github.com/skerry/skerry/services/agent/volume"
)

// Config is an agent's. Zero values are the defaults.
type Config struct {
	Node    schemas.NodeName
	Socket  string // path of Podman's API
	DataDir string // what is kept over restarts and reboots
	// Runtime and Keep stand in for Podman and the data directory, on nodes that are
	// only simulated; nil are the real ones.
	Runtime Runtime
	Keep    Keep
	// Alike has what work orders and statuses have in common; nil is one of its own. Many
	// agents in one process share one.
	Alike   *share.Pool
	Table   *schemas.Table
	Log     *slog.Logger
	Version string

	Address  string            // of the host; "" finds it by the default route
	Labels   map[string]string // of the Node, beside the usual ones
	MaxPods  int64             // 110
	Devices  device.Stock      // that the node has as extended resources
	Reserved v1.ResourceList   // of the host's resources, kept back from pods
	Capacity v1.ResourceList   // in place of what the host has; nil: as it has
	// PidsLimit is how many processes a container may have; 0 is no limit.
	PidsLimit int64
	// Eviction says when pods are ended for the node's sake; the zero value is never.
	Eviction eviction.Config

	SeccompDefault bool     // give containers that name no seccomp profile the runtime's own
	UnsafeSysctls  []string // kernel parameters that pods may set beside the safe ones
	ClusterDomain  string   // cluster.local
	ClusterDNS     []string // addresses of the cluster's own DNS; none: pods resolve as the host does

	Disks   disk.Host // where the host's devices are; the zero value is where they usually are
	FlexDir string    // where FlexVolume drivers are; "" is where Kubernetes has them

	HeartbeatInterval time.Duration // 3 s
	HeartbeatTTL      time.Duration // 10 s
	ResyncInterval    time.Duration // 30 s
	StartsAtOnce      int           // 4
}

func (c *Config) defaults() {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Alike == nil {
		c.Alike = share.New()
	}
	if c.MaxPods == 0 {
		c.MaxPods = 110
	}
	if c.ClusterDomain == "" {
		c.ClusterDomain = "cluster.local"
	}
	if c.HeartbeatInterval == 0 {
		c.HeartbeatInterval = 3 * time.Second
	}
	if c.HeartbeatTTL == 0 {
		c.HeartbeatTTL = 10 * time.Second
	}
	if c.ResyncInterval == 0 {
		c.ResyncInterval = 30 * time.Second
	}
}

// logDir is where containers' logs are.
func (c *Config) logDir() string { return filepath.Join(c.DataDir, "logs") }

// SandboxDir is where an agent whose files are in dataDir keeps pods' namespaces.
func SandboxDir(dataDir string) string { return filepath.Join(dataDir, "sandboxes") }

// Run runs the agent until ctx ends and everything that it started has stopped.
// Pods keep running.
func Run(ctx context.Context, conn *bus.Conn, c Config) error {
	c.defaults()
	a, err := assemble(conn, c)
	if err != nil {
		return fmt.Errorf("start agent of node %s: %w", c.Node, err)
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return a.poster.Run(ctx) })
	g.Go(func() error { return a.recorder.Run(ctx) })
	g.Go(func() error { return a.node.Run(ctx) })
	g.Go(func() error {
		return lease.Heartbeat(ctx, conn, c.Node, c.HeartbeatInterval, c.HeartbeatTTL)
	})
	g.Go(func() error { return a.runPods(ctx) })
	g.Go(func() error { return a.serveUsers(ctx, conn) })
	g.Go(func() error { return a.keepLogs(ctx) })
	return g.Wait()
}

// agent is the parts of a running agent.
type agent struct {
	Config
	client   *api.Client
	state    *store.Store
	driver   Runtime
	cgroups  *cgroup.Tracker
	kept     Keep
	poster   *status.Poster
	recorder *record.Recorder
	node     *node.Node
	network  *network.Network
	orders   *orders
	restored bool // what this node once reported was listed at the start
	pods     *pod.Reconciler
	volumes  *volume.Manager
	eviction *eviction.Manager
	images   imageUse
	readers  logfile.Readers // of the logs of its containers
	names    *resolver.Files // nil if the runtime is simulated
}

func assemble(conn *bus.Conn, c Config) (*agent, error) {
	if c.Keep == nil {
		if err := pod.CheckSysctls(c.UnsafeSysctls); err != nil {
			return nil, err
		}
		kept, err := keep.Open(c.DataDir)
		if err != nil {
			return nil, err
		}
		c.Keep = kept
	}
	if c.Runtime == nil {
		d := podman.New(c.Socket, c.Log)
		d.LogDir = c.logDir()
		d.Spaces = space.New(SandboxDir(c.DataDir), c.Log)
		c.Runtime = d
	}
	kept := c.Keep
	a := &agent{
		Config: c, kept: kept, orders: newOrders(),
		client: api.NewClient(conn, c.Table),
		driver: c.Runtime, cgroups: tracker(c.Runtime),
	}
	a.state = store.NewVia(conn, bus.BucketState, a.client.StateLister())
	// What tools that read events look for, from whoever runs a node's pods.
	a.recorder = record.New(a.client, "kubelet", string(c.Node))
	a.poster = status.NewPoster(a.state, a.client.StateLister(), bus.ObservedFilter(c.Node), c.Log)
	a.network = network.New(a.driver, c.Log)
	a.node = node.New(node.Config{
		Name: c.Node, Labels: c.Labels, Address: c.Address, MaxPods: c.MaxPods, Reserved: c.Reserved, Capacity: c.Capacity, Extended: c.Devices.Capacity(), Version: c.Version,
		Client: a.client, Runtime: a.driver, Poster: a.poster, Recorder: a.recorder,
		Told: bus.OwnNodeFilter(c.Node) != "", CIDR: a.learnCIDR, Network: func() bool { _, ok := a.network.Ready(); return ok },
		Pressure: func() map[v1.NodeConditionType]bool { return a.eviction.Pressure() },
		Log:      c.Log, Now: time.Now,
	})
	a.names = newNames(c)
	ledger, err := openDevices(c)
	if err != nil {
		return nil, err
	}
	src := newSource(conn, c.Table, kept)
	if a.volumes, err = a.newVolumes(src); err != nil {
		return nil, err
	}
	a.pods = pod.New(pod.Config{
		Runtime: a.driver, Orders: a.orders, Reporter: newReporter(conn, c, a.poster), Keeper: kept,
		Recorder: a.recorder, Images: a.driver, Source: src, Volumes: a.volumes, Classes: src, Settings: settings(c), Resolver: a.names, Devices: ledger, Alike: c.Alike, Actions: action.New(a.driver),
		Messages: messages(c), LogTail: a.logTail,
		Node: c.Node, HostIPs: a.node.HostIPs, Allocatable: a.node.Allocatable, Network: a.network.Ready, Limits: a.limits(), Admit: a.admit, Cgroups: a.cgroups,
		Workers: c.StartsAtOnce, Now: time.Now, Log: c.Log,
	})
	a.eviction = a.newEviction()
	return a, nil
}

// addAll has every pod looked at.
func (a *agent) addAll() {
	a.pods.AddAll()
	for _, k := range a.orders.keys() {
		a.pods.Add(k)
	}
}

// learnCIDR makes the pods' network over cidr and starts those that waited for it.
func (a *agent) learnCIDR(ctx context.Context, cidr string) error {
	_, before := a.network.Ready()
	err := a.network.Ensure(ctx, cidr)
	if _, now := a.network.Ready(); now && !before {
		a.addAll()
	}
	return err
}
