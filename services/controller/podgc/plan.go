package podgc

import (
	"sort"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/controller/pod"
)

// Plan are the pods to be removed by force, and why.
type Plan struct {
	// Orphaned are on nodes that have been missing for a whole quarantine.
	Orphaned []*corev1.Pod
	// Terminated have ended, and are the oldest beyond the threshold.
	Terminated []*corev1.Pod
	// Unscheduled are being deleted and were never on a node.
	Unscheduled []*corev1.Pod
	// OutOfService are being deleted on a node that its operator has written off.
	OutOfService []*corev1.Pod
	// Missing are the nodes that pods are on and nobody knows, since when.
	Missing map[schemas.NodeName]time.Time
}

// limits are when something is too old or too much.
type limits struct {
	quarantine time.Duration
	terminated int
}

// plan decides. missing is what the last plan found missing.
func plan(pods []*corev1.Pod, nodes map[schemas.NodeName]*corev1.Node, missing map[schemas.NodeName]time.Time, l limits, now time.Time) Plan {
	p := Plan{Missing: map[schemas.NodeName]time.Time{}}
	var ended []*corev1.Pod
	for _, o := range pods {
		name := schemas.NodeName(o.Spec.NodeName)
		node := nodes[name]
		switch {
		case name == "" && o.DeletionTimestamp != nil:
			p.Unscheduled = append(p.Unscheduled, o)
		case name != "" && node == nil:
			since, known := missing[name]
			if !known {
				since = now
			}
			p.Missing[name] = since
			if now.Sub(since) >= l.quarantine {
				p.Orphaned = append(p.Orphaned, o)
			}
		case o.DeletionTimestamp != nil && node != nil && outOfService(node):
			p.OutOfService = append(p.OutOfService, o)
		case pod.Terminal(o) && o.DeletionTimestamp == nil:
			ended = append(ended, o)
		}
	}
	if n := len(ended) - l.terminated; l.terminated > 0 && n > 0 {
		sort.SliceStable(ended, func(i, j int) bool {
			return ended[i].CreationTimestamp.Before(&ended[j].CreationTimestamp)
		})
		p.Terminated = ended[:n]
	}
	return p
}

// outOfService tells whether the node is not ready and its operator says that it
// will not come back as it was.
func outOfService(n *corev1.Node) bool {
	for _, c := range n.Status.Conditions {
		if c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue {
			return false
		}
	}
	for _, t := range n.Spec.Taints {
		if t.Key == corev1.TaintNodeOutOfService {
			return true
		}
	}
	return false
}
