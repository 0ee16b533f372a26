package scheduler

import (
	"sync"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/bus/view"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/scheduler/place"
)

// mirror is the cluster as the placing code wants it, kept up by the view's changes.
type mirror struct {
	queue *queue

	mu      sync.Mutex
	cluster *place.Cluster
	// settled are the work orders that this leader wrote: from which desired value,
	// at which revision. While both stand there is nothing to compare.
	settled map[schemas.Ref]settled
}

type settled struct{ desired, assigned store.Revision }

func (m *mirror) isSettled(ref schemas.Ref, p view.Parts) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.settled[ref]
	return ok && s.desired == p.Desired.Revision && s.assigned == p.Assigned.Revision && !p.Assigned.Deleted && !p.Desired.Deleted
}

// settle notes that w was written, at rev.
func (m *mirror) settle(w write, rev store.Revision) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if order := w.ops[len(w.ops)-1]; order.Value == nil || w.verdict != "" {
		delete(m.settled, w.ref)
		return
	}
	m.settled[w.ref] = settled{desired: w.desired, assigned: rev}
}

func newMirror() *mirror {
	return &mirror{queue: newQueue(), cluster: place.NewCluster(place.Policy{}), settled: map[schemas.Ref]settled{}}
}

// change takes one change of the view.
func (m *mirror) change(c view.Change) {
	switch c.Ref.Resource {
	case schemas.Pods:
		m.podChanged(c)
	case schemas.Nodes:
		m.nodeChanged(c)
	}
}

func (m *mirror) podChanged(c view.Change) {
	pod, ok := c.Object.(*v1.Pod)
	if !ok {
		return
	}
	finished := pod.Status.Phase == v1.PodSucceeded || pod.Status.Phase == v1.PodFailed
	if c.Type == view.Modified && !finished && (c.Part == bus.PrefixObserved || c.Part == bus.PrefixCurrent) {
		return // a status: neither where it is nor its work order follow from that
	}
	m.mu.Lock()
	if old, ok := c.Old.(*v1.Pod); ok && old.UID != pod.UID {
		m.cluster.RemovePod(old.UID)
	}
	freed := false
	switch {
	case c.Type == view.Deleted || finished:
		delete(m.settled, c.Ref)
		m.cluster.RemovePod(pod.UID)
		freed = pod.Spec.NodeName != ""
	case pod.Spec.NodeName != "":
		m.cluster.SetPod(place.NewPod(pod), schemas.NodeName(pod.Spec.NodeName))
	}
	m.mu.Unlock()
	if c.Type == view.Deleted {
		m.queue.forget(c.Ref)
	}
	m.queue.add(c.Ref) // its work order may have to follow
	if freed {
		m.queue.changed()
	}
}

func (m *mirror) nodeChanged(c view.Change) {
	node, ok := c.Object.(*v1.Node)
	if !ok {
		return
	}
	m.mu.Lock()
	if c.Type == view.Deleted {
		m.cluster.RemoveNode(schemas.NodeName(node.Name))
	} else {
		m.cluster.SetNode(node)
	}
	m.mu.Unlock()
	if old, ok := c.Old.(*v1.Node); ok && c.Type == view.Modified && sameForPlacing(old, node) {
		return
	}
	m.queue.changed()
}

// sameForPlacing tells whether a node changed in nothing that a filter reads: a
// node's status is posted often, and must not wake every pod that waits.
func sameForPlacing(a, b *v1.Node) bool {
	return equality.Semantic.DeepEqual(a.Status.Allocatable, b.Status.Allocatable) &&
		equality.Semantic.DeepEqual(a.Spec, b.Spec) && equality.Semantic.DeepEqual(a.Labels, b.Labels)
}
