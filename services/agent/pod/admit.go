package pod

import (
	"context"
	"time"

	v1 "k8s.io/api/core/v1"
)

// Verdict is what a node says of a pod that is new to it.
type Verdict struct {
	// Unsure: the node cannot tell yet, and the pod waits.
	Unsure bool
	// Refuse is why it does not take the pod; nil if it does.
	Refuse *Eviction
	// Fleeting: what is in the pod's way may be about to leave.
	Fleeting bool
	// Victims are to leave first, and the pod waits for that.
	Victims []*v1.Pod
}

// fleeting is how long what is in a new pod's way may take to leave: the order of a pod that
// was removed by force may end after that of the one which gets its room has begun.
const fleeting = 3 * time.Second

// lookAgain is how often a pod that waits to be taken is asked about.
const lookAgain = 250 * time.Millisecond

// admit has a pod fail that the node does not take: one of which nothing was made or said
// yet. Who was taken stays taken, also by the next agent. It returns how long a pod has to wait
// until the node can tell; nothing is done or said before.
func (r *Reconciler) admit(ctx context.Context, e *entry, in Input) (wait time.Duration) {
	if in.Order == nil || e.admitted || e.refused {
		return 0
	}
	mine, _ := in.split()
	switch {
	case r.Admit == nil || mine != nil || e.mem.Last.Phase != "":
		r.accept(e)
		return 0
	case in.Order.DeletionTimestamp != nil:
		return 0
	case !in.Synced:
		return lookAgain // others that are to run here may not have been told of yet
	}
	r.admission.Lock()
	defer r.admission.Unlock()
	v := r.Admit(ctx, in.Order, r.taken(in.Order.UID))
	if (v.Refuse != nil || len(v.Victims) > 0) && r.sweep() {
		v = r.Admit(ctx, in.Order, r.taken(in.Order.UID))
	}
	for _, p := range v.Victims {
		r.Evict(KeyOf(p), preempted(p))
	}
	if v.Refuse == nil && !v.Unsure && len(v.Victims) == 0 {
		r.accept(e)
		return 0
	}
	since := &e.few().since
	if since.IsZero() {
		*since = in.Now
	}
	if v.Refuse == nil || v.Fleeting && in.Now.Sub(*since) < fleeting {
		return lookAgain
	}
	e.refused = true
	r.doom(e, in.Order, v.Refuse)
	return 0
}

// accept counts the pod among those that have something of the node.
func (r *Reconciler) accept(e *entry) {
	e.admitted = true
	r.grant(grant{order: e.order})
}

// preempted is why p fails when a critical pod gets its room.
func preempted(p *v1.Pod) Eviction {
	return Eviction{
		UID: p.UID, Reason: "Preempting", Message: "Preempted in order to admit critical pod",
		Condition: &v1.PodCondition{
			Type: v1.DisruptionTarget, Status: v1.ConditionTrue, Reason: v1.PodReasonTerminationByKubelet,
			Message: "Pod was preempted by Kubelet to accommodate a critical pod.", ObservedGeneration: p.Generation,
		},
	}
}
