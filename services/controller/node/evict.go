package node

import (
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/services/controller/pod"
)

// reasonNotReady is why a pod that its agent last called ready is not.
const reasonNotReady = "NodeNotReady"

// tenantPlan is what is due for one pod on a node.
type tenantPlan struct {
	// Unready overrides the pod's readiness; Restore takes that back.
	Unready, Restore bool
	// Evict now; else After is when its toleration runs out, 0 for never.
	Evict bool
	After time.Duration
}

// planTenant decides for p on n. untimed is since when taints without a time count.
func planTenant(p *corev1.Pod, n *corev1.Node, untimed, now time.Time) tenantPlan {
	var out tenantPlan
	ready := pod.Condition(p, corev1.PodReady)
	overridden := ready != nil && overruled(*ready)
	switch {
	case readiness(n) == corev1.ConditionTrue:
		out.Restore = overridden
	case readiness(n) != "":
		out.Unready = pod.Ready(p)
	}
	if p.DeletionTimestamp != nil {
		return out
	}
	until, forever := tolerated(p, n, untimed)
	switch {
	case forever:
	case !now.Before(until):
		out.Evict = true
	default:
		out.After = until.Sub(now)
	}
	return out
}

// overruled tells whether a condition is the override that planTenant asks for.
func overruled(c corev1.PodCondition) bool {
	return c.Type == corev1.PodReady && c.Status == corev1.ConditionFalse && c.Reason == reasonNotReady
}

// tolerated is how long p bears n's NoExecute taints: the shortest time of any taint,
// each counted from when it came.
func tolerated(p *corev1.Pod, n *corev1.Node, untimed time.Time) (until time.Time, forever bool) {
	forever = true
	for i := range n.Spec.Taints {
		t := &n.Spec.Taints[i]
		if t.Effect != corev1.TaintEffectNoExecute {
			continue
		}
		from := untimed
		if t.TimeAdded != nil {
			from = t.TimeAdded.Time
		}
		d, always := bears(p, t)
		if always {
			continue
		}
		if end := from.Add(d); forever || end.Before(until) {
			until, forever = end, false
		}
	}
	return until, forever
}

// bears is how long p tolerates one taint: not at all, for a time, or always. Of
// several tolerations that match, the shortest counts.
func bears(p *corev1.Pod, t *corev1.Taint) (d time.Duration, always bool) {
	matched, always := false, true
	for i := range p.Spec.Tolerations {
		tol := &p.Spec.Tolerations[i]
		if !tol.ToleratesTaint(logr.Discard(), t, true) {
			continue
		}
		matched = true
		if tol.TolerationSeconds == nil {
			continue
		}
		s := time.Duration(max(*tol.TolerationSeconds, 0)) * time.Second
		if always || s < d {
			d, always = s, false
		}
	}
	return d, matched && always
}
