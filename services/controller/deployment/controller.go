// Package deployment makes Deployments true: one ReplicaSet for each pod template
// that a Deployment has had, sized step by step from the old to the new one.
//
// Reads: deployments, their replicasets, and those sets' pods, joined.
// Writes: replicasets and the deployment's revision annotation, through the
// apiserver; current.apps/deployments.<namespace>.<name>; events.
// Triggered by: changes of a deployment, of its replicasets, and of their pods
// going away; and the progress deadline.
// Invariant: the sets' sizes never sum up to more than replicas + maxSurge because
// of a rollout, and a rollout takes no pod away that leaves fewer than replicas -
// maxUnavailable available.
package deployment

import (
	"context"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/bus/view"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/controller/cluster"
	"github.com/skerry/skerry/services/controller/owner"
)

// kind is what owns replicasets here.
var kind = owner.Kind{
	GroupVersionKind: appsv1.SchemeGroupVersion.WithKind("Deployment"), Resource: schemas.Deployments, Owned: schemas.ReplicaSets,
	Selector: func(o schemas.Object) *metav1.LabelSelector {
		if d, ok := o.(*appsv1.Deployment); ok {
			return d.Spec.Selector
		}
		return nil
	},
}

// Controller reconciles deployments.
type Controller struct {
	c *cluster.Cluster
}

// New returns the controller.
func New(c *cluster.Cluster) *Controller { return &Controller{c: c} }

// Keys returns the deployments that a change concerns.
func (k *Controller) Keys(ch view.Change) []schemas.Ref {
	switch ch.Ref.Resource {
	case schemas.Deployments:
		return []schemas.Ref{ch.Ref}
	case schemas.ReplicaSets:
		if keys := kind.Of(ch.Object, ch.Old); len(keys) > 0 {
			return keys
		}
		return kind.Selecting(k.c.View, ch.Object)
	case schemas.Pods:
		// Only Recreate waits for pods, and only for their end.
		if p, ok := ch.Object.(*corev1.Pod); ok && (ch.Type == view.Deleted || p.Status.Phase == corev1.PodFailed || p.Status.Phase == corev1.PodSucceeded) {
			return k.ofPod(p)
		}
	}
	return nil
}

func (k *Controller) ofPod(p *corev1.Pod) []schemas.Ref {
	ref := metav1.GetControllerOfNoCopy(p)
	if ref == nil || ref.Kind != "ReplicaSet" {
		return nil
	}
	rs, ok := k.c.View.Get(schemas.Ref{Resource: schemas.ReplicaSets, Namespace: schemas.Namespace(p.Namespace), Name: schemas.Name(ref.Name)})
	if !ok {
		return nil
	}
	return kind.Of(rs)
}

// Reconcile takes the deployment that key names one step further.
func (k *Controller) Reconcile(ctx context.Context, key schemas.Ref) (time.Duration, error) {
	// Load.
	obj, ok := k.c.View.Get(key)
	if !ok {
		return 0, nil
	}
	d, ok := obj.(*appsv1.Deployment)
	if !ok {
		return 0, fmt.Errorf("reconcile %s: it is a %T", key, obj)
	}
	selector, err := metav1.LabelSelectorAsSelector(d.Spec.Selector)
	if err != nil || selector.Empty() {
		k.c.Events.Event(d, corev1.EventTypeWarning, "SelectingAll", "This deployment is selecting all pods. A non-empty selector is required.")
		return 0, k.conclude(ctx, d, appsv1.DeploymentStatus{ObservedGeneration: d.Generation, Conditions: d.Status.Conditions})
	}
	candidates := k.c.View.List(schemas.ReplicaSets, schemas.Namespace(d.Namespace))
	sets, err := owner.Take[*appsv1.ReplicaSet](ctx, kind, k.c.API, k.c.Truth, d, selector, candidates)
	if err != nil {
		return 0, err
	}
	// Plan.
	p := plan(d, sets, k.podsOf(d, sets), k.c.Now())
	// Apply.
	if err := k.apply(ctx, d, &p); err != nil {
		return 0, err
	}
	// Report.
	return p.After, k.conclude(ctx, d, p.Status)
}

// podsOf returns the pods of the sets for the only strategy that looks at them.
func (k *Controller) podsOf(d *appsv1.Deployment, sets []*appsv1.ReplicaSet) map[types.UID][]*corev1.Pod {
	if d.Spec.Strategy.Type != appsv1.RecreateDeploymentStrategyType {
		return nil
	}
	pods := map[types.UID][]*corev1.Pod{}
	for _, rs := range sets {
		for _, o := range k.c.View.Owned(string(rs.UID)) {
			if p, ok := o.(*corev1.Pod); ok && p.Namespace == rs.Namespace && metav1.IsControlledBy(p, rs) {
				pods[rs.UID] = append(pods[rs.UID], p)
			}
		}
	}
	return pods
}
