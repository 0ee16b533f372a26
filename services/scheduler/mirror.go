package scheduler

import (
	"sync"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/skerry/skerry/bus/view"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/scheduler/place"
)

// mirror is the cluster as the placing code wants it, kept up by the view's changes.
type mirror struct {
	queue *queue

	mu      sync.Mutex
	cluster *place.Cluster
}

func newMirror() *mirror {
	return &mirror{queue: newQueue(), cluster: place.NewCluster(place.Policy{})}
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
	m.mu.Lock()
	if old, ok := c.Old.(*v1.Pod); ok && old.UID != pod.UID {
		m.cluster.RemovePod(old.UID)
	}
	freed := false
	switch {
	case c.Type == view.Deleted || finished:
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
