// Package node registers the host as a Node and reports its status.
//
// Reads: /proc, /sys, the file system that images are on, the runtime's health, and its own Node
// object for the pod CIDR that the control plane gave it. Writes: the Node (created
// once, its labels patched) by request, and observed.<node>.node through a poster.
// What always holds: Ready is True only while the runtime answers and pods have a
// network; the status is posted when it changed and every five minutes.
package node

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/agent/sandbox"
)

// How often the runtime is asked whether it answers, and how often an unchanged
// status is posted again.
const (
	checkEvery = 10 * time.Second
	postEvery  = 5 * time.Minute
)

// runtimePrefix begins the version of the runtime in a node's status.
const runtimePrefix = "podman://"

// Runtime is what the node tells of its container runtime.
type Runtime interface {
	Ping(ctx context.Context) error
	// Describe returns the runtime's version and the directory that images are in.
	Describe(ctx context.Context) (version, graphRoot string, err error)
	Images(ctx context.Context) ([]sandbox.Image, error)
}

// Poster posts the status.
type Poster interface {
	Post(k bus.Key, value any) error
}

// Recorder records events; it neither blocks nor fails.
type Recorder interface {
	Event(obj schemas.Object, eventType, reason, message string)
}

// Config says what the node is.
type Config struct {
	Name     schemas.NodeName
	Labels   map[string]string
	Address  string // of the host; "" finds it by the default route
	MaxPods  int64
	Reserved v1.ResourceList // kept back from pods
	Capacity v1.ResourceList // in place of the host's; nil: what the host has
	Extended v1.ResourceList // devices that the host declares
	Version  string          // of the agent

	Client   *api.Client
	Runtime  Runtime
	Poster   Poster
	Recorder Recorder
	// Told: Saw is called with every change of the Node, the first time with how it is.
	Told bool
	// CIDR is told the node's pod CIDR, again until it returns nil; Network tells
	// whether pods can be attached.
	CIDR    func(ctx context.Context, cidr string) error
	Network func() bool
	// Pressure are the conditions of shortage that are true.
	Pressure func() map[v1.NodeConditionType]bool
	Log      *slog.Logger
	Now      func() time.Time
}

// Node is the host as the cluster sees it. Safe for concurrent use.
type Node struct {
	Config
	nudge chan struct{}
	saw   chan struct{} // one token: seen is news

	mu        sync.Mutex
	seen      *v1.Node
	object    *v1.Node // as the apiserver has it; nil until registered
	status    v1.NodeStatus
	met       time.Time // when object was first heard of
	posted    time.Time // zero: nothing of object
	hostIPs   []string
	version   string // of the runtime
	graphRoot string
}

// New returns the node with what can be told without asking anyone.
func New(c Config) *Node {
	c.Labels = permitted(c.Labels, c.Log)
	n := &Node{Config: c, nudge: make(chan struct{}, 1), saw: make(chan struct{}, 1)}
	n.hostIPs = addresses(c.Address)
	n.status = v1.NodeStatus{Capacity: n.capacity()}
	n.status.Allocatable = allocatable(n.status.Capacity, c.Reserved)
	return n
}

// HostIPs are the host's addresses, its main one first.
func (n *Node) HostIPs() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.hostIPs
}

// Allocatable is what pods can have of the host.
func (n *Node) Allocatable() v1.ResourceList {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.status.Allocatable
}

// View is the Node as it was last heard of, with what pods can have of it; nil until both
// the apiserver and the runtime have told of it.
func (n *Node) View() *v1.Node {
	n.mu.Lock()
	defer n.mu.Unlock()
	obj := n.object
	if n.seen != nil {
		obj = n.seen
	}
	if obj == nil || strings.TrimPrefix(n.status.NodeInfo.ContainerRuntimeVersion, runtimePrefix) == "" {
		return nil // what pods can have depends on where images are
	}
	out := *obj
	out.Status.Allocatable = n.status.Allocatable
	return &out
}

// refreshTime bounds how long Refresh asks.
const refreshTime = 2 * time.Second

// Refresh is View of what the apiserver says now; nil if it does not answer.
func (n *Node) Refresh(ctx context.Context) *v1.Node {
	ctx, cancel := context.WithTimeout(ctx, refreshTime)
	defer cancel()
	got, err := n.Client.Get(ctx, n.ref())
	obj, ok := got.(*v1.Node)
	if err != nil || !ok {
		return nil
	}
	out := *obj
	out.Status.Allocatable = n.Allocatable()
	return &out
}

// GraphRoot is the directory that images are in; "" until the runtime has told.
func (n *Node) GraphRoot() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.graphRoot
}

// Nudge has the status looked at now.
func (n *Node) Nudge() {
	select {
	case n.nudge <- struct{}{}:
	default:
	}
}

// Run registers the node and keeps its status until ctx ends.
func (n *Node) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return n.follow(ctx) })
	g.Go(func() error { return n.report(ctx) })
	return g.Wait()
}

func (n *Node) report(ctx context.Context) error {
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	for {
		n.check(ctx)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		case <-n.nudge:
		}
	}
}

// check looks at the host and posts its status if it is news or due.
func (n *Node) check(ctx context.Context) {
	runtimeErr := n.Runtime.Ping(ctx)
	if ctx.Err() != nil {
		return
	}
	var images []v1.ContainerImage
	if runtimeErr == nil {
		n.describe(ctx)
		images = n.images(ctx)
	}
	n.mu.Lock()
	before := n.status
	st := n.compute(runtimeErr, images)
	n.status = st
	// Free bytes move all the time; heartbeats' times are not news either.
	due := !equality.Semantic.DeepEqual(timeless(before), timeless(st)) || n.Now().Sub(n.posted) >= postEvery
	object := n.object
	due = due && !(runtimeErr == nil && n.early())
	if due && object != nil {
		n.posted = n.Now()
	}
	n.mu.Unlock()
	if !due || object == nil {
		return
	}
	obj := &v1.Node{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Node"},
		ObjectMeta: metav1.ObjectMeta{Name: string(n.Name), UID: object.UID},
		Status:     st,
	}
	if err := n.Poster.Post(bus.ObservedNodeKey(n.Name), obj); err != nil {
		n.Log.Error("post node status", "error", err)
		return
	}
	n.announce(object, before, st)
}

// firstPost is how long a node's first status waits for its pod CIDR. Without that the node is not
// ready, which is written, followed by taints, and taken back a moment later: of a thousand nodes
// that come at once that is most of what is written.
const firstPost = 5 * time.Second

// early tells whether the first status is to wait. With n.mu held.
func (n *Node) early() bool {
	return n.object != nil && n.object.Spec.PodCIDR == "" && n.posted.IsZero() && n.Now().Sub(n.met) < firstPost
}

func (n *Node) announce(object *v1.Node, before, after v1.NodeStatus) {
	n.announcePressure(object, before, after)
	was, is := ready(before), ready(after)
	switch {
	case was != v1.ConditionTrue && is == v1.ConditionTrue:
		n.Recorder.Event(object, v1.EventTypeNormal, "NodeReady", "Node "+string(n.Name)+" status is now: NodeReady")
	case was == v1.ConditionTrue && is != v1.ConditionTrue:
		n.Recorder.Event(object, v1.EventTypeNormal, "NodeNotReady", "Node "+string(n.Name)+" status is now: NodeNotReady")
	}
}

// describe asks the runtime about itself until it has told once; an upgraded
// Podman is asked again after it was away.
func (n *Node) describe(ctx context.Context) {
	n.mu.Lock()
	known := n.version != "" && ready(n.status) == v1.ConditionTrue
	n.mu.Unlock()
	if known {
		return
	}
	version, root, err := n.Runtime.Describe(ctx)
	if err != nil {
		n.Log.Warn("ask the runtime about itself", "error", err)
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.version, n.graphRoot = version, root
}
