// Package podgroup concludes whether the pods of each PodGroup have been scheduled.
//
// Reads: podgroups and the pods that name them, joined.
// Writes: current.scheduling.k8s.io/podgroups.<namespace>.<name>.
// Triggered by: changes of a group, and of the place of a pod that names one.
// Invariant: PodGroupInitiallyScheduled never goes back from True.
package podgroup

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"

	"github.com/skerry/skerry/bus/view"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/controller/cluster"
)

// together is how long a group's conclusion waits for more of its pods to change: they
// are placed at once, and all of a namespace's pods are read for it.
const together = 250 * time.Millisecond

// Controller reconciles groups.
type Controller struct{ c *cluster.Cluster }

// New returns the controller.
func New(c *cluster.Cluster) *Controller { return &Controller{c: c} }

// Keys returns the group that a change concerns.
func (k *Controller) Keys(ch view.Change) []schemas.Ref {
	if ch.Ref.Resource == schemas.PodGroups {
		return []schemas.Ref{ch.Ref}
	}
	p, ok := ch.Object.(*corev1.Pod)
	if !ok || groupName(p) == "" {
		return nil
	}
	if old, ok := ch.Old.(*corev1.Pod); ok && ch.Type == view.Modified && memberOf(old) == memberOf(p) {
		return nil
	}
	return []schemas.Ref{{Resource: schemas.PodGroups, Namespace: ch.Ref.Namespace, Name: schemas.Name(groupName(p))}}
}

// After is how long key can wait for more changes.
func (k *Controller) After(ch view.Change, _ schemas.Ref) time.Duration {
	if ch.Ref.Resource == schemas.PodGroups {
		return 0
	}
	return together
}

// Reconcile writes the status of the group that key names.
func (k *Controller) Reconcile(ctx context.Context, key schemas.Ref) (time.Duration, error) {
	// Load.
	obj, ok := k.c.View.Get(key)
	g, isGroup := obj.(*schedulingv1beta1.PodGroup)
	if !ok || !isGroup {
		return 0, nil
	}
	var pods []*corev1.Pod
	for _, o := range k.c.View.List(schemas.Pods, key.Namespace) {
		if p, ok := o.(*corev1.Pod); ok && groupName(p) == g.Name {
			pods = append(pods, p)
		}
	}
	// Plan, on what is stored.
	return 0, k.c.Status.Conclude(ctx, key, g.UID, func(current schemas.Object) schemas.Object {
		next, _ := current.(*schedulingv1beta1.PodGroup)
		if next == nil {
			next = &schedulingv1beta1.PodGroup{TypeMeta: g.TypeMeta}
			next.Name, next.Namespace, next.UID = g.Name, g.Namespace, g.UID
		}
		if st := plan(g, &next.Status, pods, k.c.Now()); !apiequality.Semantic.DeepEqual(next.Status, st) {
			next.Status = st
		}
		return next
	})
}

// groupName is the name of the group that p belongs to, "" without one.
func groupName(p *corev1.Pod) string {
	if g := p.Spec.SchedulingGroup; g != nil && g.PodGroupName != nil {
		return *g.PodGroupName
	}
	return ""
}
