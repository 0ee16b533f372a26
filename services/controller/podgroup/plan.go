package podgroup

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// reasonScheduled is what Kubernetes' scheduler calls a group that has been placed.
const reasonScheduled = "Scheduled"

// member is what a group's status follows from, of one of its pods.
type member struct {
	group    string
	counts   bool // it has not ended
	placed   bool
	verdict  string // why the scheduler refused it
	unfit    bool
	released bool // it goes
}

func memberOf(p *corev1.Pod) member {
	m := member{
		group: groupName(p), counts: p.Status.Phase != corev1.PodSucceeded && p.Status.Phase != corev1.PodFailed,
		placed: p.Spec.NodeName != "", released: p.DeletionTimestamp != nil,
	}
	for i := range p.Status.Conditions {
		c := &p.Status.Conditions[i]
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && c.Reason == corev1.PodReasonUnschedulable {
			m.unfit, m.verdict = true, c.Message
		}
	}
	return m
}

// plan is g's next status: True once as many of its pods have a node as it needs at
// least, one if it has no gang; False while the scheduler refuses its pods.
func plan(g *schedulingv1beta1.PodGroup, current *schedulingv1beta1.PodGroupStatus, pods []*corev1.Pod, now time.Time) schedulingv1beta1.PodGroupStatus {
	need := 1
	if gang := g.Spec.SchedulingPolicy.Gang; gang != nil {
		need = int(gang.MinCount)
	}
	placed, total, refused, first := 0, 0, "", ""
	for _, p := range pods {
		m := memberOf(p)
		switch {
		case !m.counts:
			continue
		case m.placed:
			placed++
		case m.unfit && !m.released && (first == "" || p.Name < first):
			first, refused = p.Name, m.verdict
		}
		total++
	}
	out := *current.DeepCopy()
	cond := metav1.Condition{
		Type: schedulingv1beta1.PodGroupInitiallyScheduled, ObservedGeneration: g.Generation,
		LastTransitionTime: metav1.NewTime(now.Truncate(time.Second)),
	}
	switch {
	case placed >= need || apimeta.IsStatusConditionTrue(current.Conditions, cond.Type):
		cond.Status, cond.Reason = metav1.ConditionTrue, reasonScheduled
		cond.Message = fmt.Sprintf("%d of %d pods have a node", placed, total)
	case first != "":
		cond.Status, cond.Reason, cond.Message = metav1.ConditionFalse, schedulingv1beta1.PodGroupReasonUnschedulable, refused
	default:
		return out // nothing is known yet
	}
	apimeta.SetStatusCondition(&out.Conditions, cond)
	return out
}
