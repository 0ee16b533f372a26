package node

import (
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	reasonUnknown      = "NodeStatusUnknown"
	reasonNeverUpdated = "NodeStatusNeverUpdated"
	// recheck is when held evictions are considered again, should no change say so.
	recheck = 5 * time.Second
)

// concluded are the conditions that only a living agent can vouch for.
var concluded = []corev1.NodeConditionType{
	corev1.NodeReady, corev1.NodeMemoryPressure, corev1.NodeDiskPressure, corev1.NodePIDPressure,
}

// Plan is what is due for one node.
type Plan struct {
	// Overlay are the conditions that override the agent's; nil for none. It is
	// applied only if Conclude is true: else nobody knows enough.
	Conclude bool
	Overlay  []corev1.NodeCondition
	// Taints are the node's taints as they are to be; applied if Retaint is true.
	Retaint bool
	Taints  []corev1.Taint
	// Evicting is true if the plan makes the node lose its pods: it spends a turn.
	Evicting bool
	// Lost is true when the node is newly found to be lost.
	Lost  bool
	After time.Duration
}

// plan decides for n, whose agent is as l says. m and wait say whether a node may
// lose its pods now, and if not, how long until its turn.
func plan(n *corev1.Node, l life, m mercy, wait time.Duration, now time.Time) Plan {
	var p Plan
	conditions := n.Status.Conditions
	switch l {
	case lost:
		p.Conclude = true
		p.Overlay = unknown(n, now)
		conditions = merge(conditions, p.Overlay)
		p.Lost = readiness(n) != corev1.ConditionUnknown
	case alive:
		p.Conclude = true
	}
	p.taint(n, conditions, m, wait, now)
	return p
}

// unknown says of each condition that nobody knows. One that says so already is
// kept: its time tells since when.
func unknown(n *corev1.Node, now time.Time) (out []corev1.NodeCondition) {
	for _, t := range concluded {
		c := corev1.NodeCondition{Type: t, Status: corev1.ConditionUnknown, LastTransitionTime: metav1.NewTime(now),
			Reason: reasonNeverUpdated, Message: "Kubelet never posted node status."}
		if was := nodeCondition(n, t); was != nil {
			if was.Status == corev1.ConditionUnknown && (was.Reason == reasonUnknown || was.Reason == reasonNeverUpdated) {
				out = append(out, *was)
				continue
			}
			c.LastHeartbeatTime = was.LastHeartbeatTime
			c.Reason, c.Message = reasonUnknown, "Kubelet stopped posting node status."
		}
		out = append(out, c)
	}
	return out
}

func merge(conditions, overlay []corev1.NodeCondition) []corev1.NodeCondition {
	out := slices.DeleteFunc(slices.Clone(conditions), func(c corev1.NodeCondition) bool {
		return slices.ContainsFunc(overlay, func(o corev1.NodeCondition) bool { return o.Type == c.Type })
	})
	return append(out, overlay...)
}

// taintFor is the taint that a condition of this type and status means.
var taintFor = map[corev1.NodeConditionType]map[corev1.ConditionStatus]string{
	corev1.NodeReady: {
		corev1.ConditionFalse:   corev1.TaintNodeNotReady,
		corev1.ConditionUnknown: corev1.TaintNodeUnreachable,
	},
	corev1.NodeMemoryPressure:     {corev1.ConditionTrue: corev1.TaintNodeMemoryPressure},
	corev1.NodeDiskPressure:       {corev1.ConditionTrue: corev1.TaintNodeDiskPressure},
	corev1.NodePIDPressure:        {corev1.ConditionTrue: corev1.TaintNodePIDPressure},
	corev1.NodeNetworkUnavailable: {corev1.ConditionTrue: corev1.TaintNodeNetworkUnavailable},
}

// taint plans the taints that follow from conditions and from spec.unschedulable.
// Taints that others made are left alone.
func (p *Plan) taint(n *corev1.Node, conditions []corev1.NodeCondition, m mercy, wait time.Duration, now time.Time) {
	want := map[taintKey]bool{}
	if n.Spec.Unschedulable {
		want[taintKey{corev1.TaintNodeUnschedulable, corev1.TaintEffectNoSchedule}] = true
	}
	for _, c := range conditions {
		key := taintFor[c.Type][c.Status]
		if key == "" {
			continue
		}
		want[taintKey{key, corev1.TaintEffectNoSchedule}] = true
		if c.Type == corev1.NodeReady && m != spare {
			p.expel(n, taintKey{key, corev1.TaintEffectNoExecute}, want, m, wait)
		}
	}
	for _, t := range n.Spec.Taints {
		k := taintKey{t.Key, t.Effect}
		if managed(k) && !want[k] {
			p.Retaint = true
			continue
		}
		delete(want, k)
		p.Taints = append(p.Taints, t)
	}
	for _, k := range sorted(want) {
		at := metav1.NewTime(now)
		p.Taints = append(p.Taints, corev1.Taint{Key: k.key, Effect: k.effect, TimeAdded: &at})
		p.Retaint = true
	}
}

// expel asks for a NoExecute taint, which costs the node its pods: at once if it has
// one of the two already, else when it is its turn.
func (p *Plan) expel(n *corev1.Node, k taintKey, want map[taintKey]bool, m mercy, wait time.Duration) {
	for _, t := range n.Spec.Taints {
		if t.Effect == corev1.TaintEffectNoExecute && (t.Key == corev1.TaintNodeNotReady || t.Key == corev1.TaintNodeUnreachable) {
			want[k] = true
			return
		}
	}
	switch {
	case m == hold:
		p.After = recheck
	case wait > 0:
		p.After = wait
	default:
		want[k] = true
		p.Evicting = true
	}
}

type taintKey struct {
	key    string
	effect corev1.TaintEffect
}

// managed tells whether the taint is this controller's to make and remove.
func managed(k taintKey) bool {
	switch k.key {
	case corev1.TaintNodeNotReady, corev1.TaintNodeUnreachable:
		return k.effect == corev1.TaintEffectNoSchedule || k.effect == corev1.TaintEffectNoExecute
	case corev1.TaintNodeMemoryPressure, corev1.TaintNodeDiskPressure, corev1.TaintNodePIDPressure,
		corev1.TaintNodeNetworkUnavailable, corev1.TaintNodeUnschedulable:
		return k.effect == corev1.TaintEffectNoSchedule
	}
	return false
}

func sorted(set map[taintKey]bool) []taintKey {
	var out []taintKey
	for k, ok := range set {
		if ok {
			out = append(out, k)
		}
	}
	slices.SortFunc(out, func(a, b taintKey) int {
		if a.effect != b.effect {
			return strings.Compare(string(a.effect), string(b.effect))
		}
		return strings.Compare(a.key, b.key)
	})
	return out
}
