package node

import (
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Kubernetes' thresholds for when failing nodes are taken for a failing network.
const (
	unhealthyShare = 0.55
	smallCluster   = 50
)

// mercy says whether unreachable nodes may lose their pods.
type mercy int

const (
	// evict: some nodes fail, others are there to take their pods.
	evict mercy = iota
	// hold: most of a small cluster fails; no more nodes lose their pods.
	hold
	// spare: no node is ready; more likely the controller is cut off. Nobody loses anything.
	spare
	// slowly: most of a large cluster fails; evict at a tenth of the rate.
	slowly
)

// judge weighs the nodes that are ready against those that are not.
func judge(ready, unready int) mercy {
	total := ready + unready
	switch {
	case total > 0 && ready == 0:
		return spare
	case unready > 2 && float64(unready)/float64(total) >= unhealthyShare:
		if total > smallCluster {
			return slowly
		}
		return hold
	}
	return evict
}

// turns space the evictions of whole nodes. Safe for concurrent use.
type turns struct {
	interval time.Duration

	mu   sync.Mutex
	last time.Time
}

// plan plans for n, whose turn it is no longer if the plan takes it: of nodes that are planned
// for at the same time one evicts. giveBack is for a plan that could not be applied.
func (t *turns) plan(n *corev1.Node, l life, m mercy, now time.Time) (p Plan, giveBack func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p = plan(n, l, m, t.wait(m, now), now)
	was := t.last
	if p.Evicting {
		t.last = now
	}
	return p, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if p.Evicting && t.last.Equal(now) {
			t.last = was
		}
	}
}

// wait is how long the next node has to wait; 0 if it may be now.
func (t *turns) wait(m mercy, now time.Time) time.Duration {
	interval := t.interval
	if m == slowly {
		interval *= 10
	}
	if t.last.IsZero() {
		return 0
	}
	return max(t.last.Add(interval).Sub(now), 0)
}

func nodeCondition(n *corev1.Node, t corev1.NodeConditionType) *corev1.NodeCondition {
	for i := range n.Status.Conditions {
		if n.Status.Conditions[i].Type == t {
			return &n.Status.Conditions[i]
		}
	}
	return nil
}

// readiness is the status of the node's Ready condition; "" if it has none.
func readiness(n *corev1.Node) corev1.ConditionStatus {
	if c := nodeCondition(n, corev1.NodeReady); c != nil {
		return c.Status
	}
	return ""
}
