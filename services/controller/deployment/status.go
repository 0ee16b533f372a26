package deployment

import (
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// status counts what the sets report; conditions other than Available stay.
func (r *rollout) status() appsv1.DeploymentStatus {
	s := appsv1.DeploymentStatus{
		ObservedGeneration: r.d.Generation,
		CollisionCount:     r.d.Status.CollisionCount,
		Conditions:         slices.Clone(r.d.Status.Conditions),
	}
	terminating, known := int32(0), true
	for _, rs := range r.all() {
		s.Replicas += rs.Status.Replicas
		s.ReadyReplicas += rs.Status.ReadyReplicas
		s.AvailableReplicas += rs.Status.AvailableReplicas
		if rs.Status.TerminatingReplicas == nil {
			known = false
		} else {
			terminating += *rs.Status.TerminatingReplicas
		}
	}
	if known {
		s.TerminatingReplicas = &terminating
	}
	if r.current != nil {
		s.UpdatedReplicas = r.current.Status.Replicas
	}
	s.UnavailableReplicas = max(0, sizes(r.all())-s.AvailableReplicas)
	if s.AvailableReplicas >= minAvailable(r.d) {
		setCondition(&s, newCondition(appsv1.DeploymentAvailable, corev1.ConditionTrue, reasonMinimum, "Deployment has minimum availability.", r.now))
	} else {
		setCondition(&s, newCondition(appsv1.DeploymentAvailable, corev1.ConditionFalse, reasonBelowMinimum, "Deployment does not have minimum availability.", r.now))
	}
	return s
}

// complete tells whether all pods are new and available, and no old ones are left.
func (r *rollout) complete(s appsv1.DeploymentStatus) bool {
	want := replicas(r.d)
	return s.UpdatedReplicas == want && s.Replicas == want && s.AvailableReplicas == want && s.ObservedGeneration >= r.d.Generation
}

// progressing tells whether s is further than what was reported last.
func (r *rollout) progressing(s appsv1.DeploymentStatus) bool {
	was := r.d.Status
	return s.UpdatedReplicas > was.UpdatedReplicas ||
		s.Replicas-s.UpdatedReplicas < was.Replicas-was.UpdatedReplicas ||
		s.ReadyReplicas > was.ReadyReplicas ||
		s.AvailableReplicas > was.AvailableReplicas
}

// notePause records pausing and resuming, so that the time in between does not
// count against the deadline. A deadline that was missed already stays reported.
func (r *rollout) notePause() {
	if !hasDeadline(r.d) {
		return
	}
	c := condition(&r.d.Status, appsv1.DeploymentProgressing)
	if c != nil && c.Reason == reasonTimedOut {
		return
	}
	noted := c != nil && c.Reason == reasonPaused
	switch {
	case r.d.Spec.Paused && !noted:
		setCondition(&r.d.Status, newCondition(appsv1.DeploymentProgressing, corev1.ConditionUnknown, reasonPaused, "Deployment is paused", r.now))
	case !r.d.Spec.Paused && noted:
		setCondition(&r.d.Status, newCondition(appsv1.DeploymentProgressing, corev1.ConditionUnknown, reasonResumed, "Deployment is resumed", r.now))
	}
}

// report sets the plan's status. Progress is judged only while a rollout may go on.
func (r *rollout) report(judge bool) {
	s := r.status()
	if judge {
		r.judge(&s)
		r.reportFailure(&s)
	}
	r.plan.Status = s
	if judge {
		r.plan.After = r.untilDeadline(s)
	}
}

func (r *rollout) judge(s *appsv1.DeploymentStatus) {
	if !hasDeadline(r.d) {
		dropCondition(s, appsv1.DeploymentProgressing)
		return
	}
	who := fmt.Sprintf("Deployment %q", r.d.Name)
	if r.current != nil {
		who = fmt.Sprintf("ReplicaSet %q", r.current.Name)
	}
	was := condition(s, appsv1.DeploymentProgressing)
	if r.plan.Create != nil {
		setCondition(s, newCondition(appsv1.DeploymentProgressing, corev1.ConditionTrue, reasonCreated, fmt.Sprintf("Created new replica set %q", r.plan.Create.Name), r.now))
		return
	}
	if was != nil && was.Reason == reasonAvailable && s.Replicas == s.UpdatedReplicas {
		return
	}
	switch {
	case r.complete(*s):
		setCondition(s, newCondition(appsv1.DeploymentProgressing, corev1.ConditionTrue, reasonAvailable, who+" has successfully progressed.", r.now))
	case r.progressing(*s):
		c := newCondition(appsv1.DeploymentProgressing, corev1.ConditionTrue, reasonUpdated, who+" is progressing.", r.now)
		if was != nil && was.Status == corev1.ConditionTrue {
			c.LastTransitionTime = was.LastTransitionTime
		}
		// Dropped first: each progress renews the time that the deadline counts from.
		dropCondition(s, appsv1.DeploymentProgressing)
		setCondition(s, c)
	case r.late(*s):
		setCondition(s, newCondition(appsv1.DeploymentProgressing, corev1.ConditionFalse, reasonTimedOut, who+" has timed out progressing.", r.now))
	}
}

// reportFailure passes on that a set cannot make its pods, the current one's first.
func (r *rollout) reportFailure(s *appsv1.DeploymentStatus) {
	sets := r.all()
	slices.Reverse(sets)
	for _, rs := range sets {
		for _, c := range rs.Status.Conditions {
			if c.Type == appsv1.ReplicaSetReplicaFailure && c.Status == corev1.ConditionTrue {
				setCondition(s, appsv1.DeploymentCondition{Type: appsv1.DeploymentReplicaFailure, Status: c.Status, Reason: c.Reason,
					Message: c.Message, LastUpdateTime: c.LastTransitionTime, LastTransitionTime: c.LastTransitionTime})
				return
			}
		}
	}
	dropCondition(s, appsv1.DeploymentReplicaFailure)
}

func (r *rollout) late(s appsv1.DeploymentStatus) bool {
	c := condition(&s, appsv1.DeploymentProgressing)
	if c == nil || c.Reason == reasonAvailable {
		return false
	}
	return c.Reason == reasonTimedOut || !r.now.Before(r.deadline(c))
}

func (r *rollout) deadline(c *appsv1.DeploymentCondition) time.Time {
	return c.LastUpdateTime.Add(time.Duration(*r.d.Spec.ProgressDeadlineSeconds) * time.Second)
}

// untilDeadline is when a rollout that does not move has to be looked at again.
func (r *rollout) untilDeadline(s appsv1.DeploymentStatus) time.Duration {
	c := condition(&s, appsv1.DeploymentProgressing)
	if !hasDeadline(r.d) || c == nil || c.Reason == reasonAvailable || c.Reason == reasonTimedOut {
		return 0
	}
	return max(r.deadline(c).Sub(r.now), 0) + time.Second
}
