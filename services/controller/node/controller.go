// Package node watches over the nodes: it gives each its pod CIDR, concludes from
// silence that a node is lost, taints nodes by their conditions, and moves pods
// away from nodes that they do not tolerate.
//
// Reads: nodes and the pods on them, joined; heartbeats.
// Writes: spec.podCIDR and spec.taints of nodes, and deletions of pods, through the
// apiserver; conditions that override the agents' under current.nodes._.<name> and
// current.pods.<namespace>.<name>; events.
// Triggered by: changes of a node, heartbeats coming and going, time.
// Invariant: no two nodes have one CIDR; no node is called lost before the bus has
// been in sight for a whole grace, unless it was heard of meanwhile; while no node is
// ready, nobody is evicted.
package node

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"

	"github.com/skerry/skerry/bus/lease"
	"github.com/skerry/skerry/bus/view"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/controller/cluster"
)

// Config are the timings; see controller.Config.
type Config struct {
	Grace         time.Duration
	EvictionEvery time.Duration
	ClusterCIDR   string
}

// Controller reconciles nodes, several at a time: CIDRs and turns of eviction are
// given out here, and nowhere else.
type Controller struct {
	c     *cluster.Cluster
	pulse *pulse
	pool  *pool
	turns turns
	// first sees all nodes there are before anything is said of one: what pulse and
	// pool know is of all of them at any time.
	first sync.Once
}

// New returns the controller. Nothing is known of the nodes' hearts yet.
func New(c *cluster.Cluster, o Config) (*Controller, error) {
	pool, err := newPool(o.ClusterCIDR)
	if err != nil {
		return nil, err
	}
	return &Controller{c: c, pulse: newPulse(o.Grace, c.Now()), pool: pool, turns: turns{interval: o.EvictionEvery}}, nil
}

// Heard takes a heartbeat, or a loss, in and calls wake if that concerns a node. BusBack is told of the bus
// coming back in sight.
func (k *Controller) Heard(b lease.Beat, wake func(schemas.Ref)) {
	if k.pulse.note(b) {
		wake(schemas.Ref{Resource: schemas.Nodes, Name: schemas.Name(b.Node)})
	}
}

// BusBack begins a new grace and wakes every node for its end.
func (k *Controller) BusBack(wake func(schemas.Ref)) {
	k.pulse.restart(k.c.Now())
	for _, n := range k.nodes() {
		wake(schemas.RefOf(schemas.Nodes, n))
	}
}

// Keys returns the nodes that a change concerns: all of them when one becomes ready
// or fails, for that may change what becomes of the others.
func (k *Controller) Keys(ch view.Change) []schemas.Ref {
	if ch.Ref.Resource != schemas.Nodes {
		return nil
	}
	now, _ := ch.Object.(*corev1.Node)
	old, _ := ch.Old.(*corev1.Node)
	k.first.Do(func() {
		for _, n := range k.nodes() {
			k.see(n)
		}
	})
	was := judge(k.pulse.claimed())
	if ch.Type == view.Deleted {
		k.pulse.drop(schemas.NodeName(ch.Ref.Name))
		k.pool.drop(schemas.NodeName(ch.Ref.Name))
	} else if now != nil {
		k.see(now)
	}
	if ch.Type == view.Modified && old != nil && now != nil && readiness(old) == readiness(now) {
		return []schemas.Ref{ch.Ref}
	}
	keys := []schemas.Ref{ch.Ref}
	if !k.changesMercy(was) {
		return keys
	}
	for _, n := range k.nodes() {
		if n.Name != string(ch.Ref.Name) && readiness(n) != corev1.ConditionTrue {
			keys = append(keys, schemas.RefOf(schemas.Nodes, n))
		}
	}
	return keys
}

func (k *Controller) see(n *corev1.Node) {
	k.pulse.see(n)
	k.pool.see(n)
}

// changesMercy tells whether a node's change may change what is to become of the others,
// of whom was was to be thought before.
func (k *Controller) changesMercy(was mercy) bool {
	ready, unready := k.pulse.claimed()
	return judge(ready, unready) != was || ready+unready < few
}

// few is a number of nodes for which nothing needs to be spared.
const few = 64

func (k *Controller) nodes() []*corev1.Node {
	all := k.c.View.All(schemas.Nodes)
	out := make([]*corev1.Node, 0, len(all))
	for _, o := range all {
		if n, ok := o.(*corev1.Node); ok {
			out = append(out, n)
		}
	}
	return out
}

// Reconcile does what is due for the node that key names.
func (k *Controller) Reconcile(ctx context.Context, key schemas.Ref) (time.Duration, error) {
	// Load.
	obj, ok := k.c.View.Get(key)
	if !ok {
		return 0, nil
	}
	n, ok := obj.(*corev1.Node)
	if !ok {
		return 0, fmt.Errorf("reconcile %s: it is a %T", key, obj)
	}
	now := k.c.Now()
	l, ask := k.pulse.of(schemas.NodeName(n.Name), n.CreationTimestamp.Time, now)
	m := judge(k.pulse.count(now))
	// Plan.
	p, giveBack := k.turns.plan(n, l, m, now)
	next := n.DeepCopy()
	if p.Retaint {
		next.Spec.Taints = p.Taints
	}
	cidrErr := k.allocate(next)
	// Apply.
	if !apiequality.Semantic.DeepEqual(n.Spec, next.Spec) {
		if _, err := k.c.API.Update(ctx, schemas.Nodes, next, ""); err != nil {
			giveBack()
			return 0, fmt.Errorf("update node %s: %w", n.Name, err)
		}
	}
	// Report.
	if err := k.conclude(ctx, n, p); err != nil {
		return 0, err
	}
	if p.Lost {
		k.c.Events.Event(n, corev1.EventTypeNormal, "NodeNotReady", fmt.Sprintf("Node %s status is now: NodeNotReady", n.Name))
	}
	if errors.Is(cidrErr, errNoCIDR) {
		k.c.Events.Event(n, corev1.EventTypeWarning, "CIDRNotAvailable", fmt.Sprintf("Node %s status is now: CIDRNotAvailable", n.Name))
	}
	return sooner(p.After, ask), cidrErr
}

// allocate gives n a CIDR if it has none.
func (k *Controller) allocate(n *corev1.Node) error {
	if n.Spec.PodCIDR != "" || n.DeletionTimestamp != nil {
		return nil
	}
	cidr, err := k.pool.give(schemas.NodeName(n.Name))
	if err != nil {
		return fmt.Errorf("allocate pod CIDR for node %s: %w", n.Name, err)
	}
	n.Spec.PodCIDR, n.Spec.PodCIDRs = cidr, []string{cidr}
	return nil
}

func (k *Controller) conclude(ctx context.Context, n *corev1.Node, p Plan) error {
	if !p.Conclude {
		return nil
	}
	return k.c.Status.Conclude(ctx, schemas.RefOf(schemas.Nodes, n), n.UID, func(current schemas.Object) schemas.Object {
		return overlaid(n, current, p.Overlay)
	})
}

// overlaid puts overlay in place of this controller's conditions in current, and
// keeps what clients wrote there.
func overlaid(n *corev1.Node, current schemas.Object, overlay []corev1.NodeCondition) schemas.Object {
	out := &corev1.Node{TypeMeta: n.TypeMeta}
	out.Name, out.UID = n.Name, n.UID
	if c, ok := current.(*corev1.Node); ok && c != nil {
		for _, cond := range c.Status.Conditions {
			if cond.Reason != reasonUnknown && cond.Reason != reasonNeverUpdated {
				out.Status.Conditions = append(out.Status.Conditions, cond)
			}
		}
	}
	out.Status.Conditions = merge(out.Status.Conditions, overlay)
	if len(out.Status.Conditions) == 0 {
		return nil
	}
	return out
}

func sooner(a, b time.Duration) time.Duration {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}
