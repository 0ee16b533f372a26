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
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/bus/view"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/controller/cluster"
	"github.com/skerry/skerry/services/controller/owner"
)

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
		if keys := k.owners(ch.Object, ch.Old); len(keys) > 0 {
			return keys
		}
		return k.selecting(ch.Object)
	case schemas.Pods:
		// Only Recreate waits for pods, and only for their end.
		if p, ok := ch.Object.(*corev1.Pod); ok && (ch.Type == view.Deleted || p.Status.Phase == corev1.PodFailed || p.Status.Phase == corev1.PodSucceeded) {
			return k.ofPod(p)
		}
	}
	return nil
}

func (k *Controller) owners(objs ...schemas.Object) (keys []schemas.Ref) {
	for _, o := range objs {
		if o == nil {
			continue
		}
		if ref := metav1.GetControllerOfNoCopy(o); ref != nil && ref.Kind == "Deployment" {
			keys = append(keys, schemas.Ref{Resource: schemas.Deployments, Namespace: schemas.Namespace(o.GetNamespace()), Name: schemas.Name(ref.Name)})
		}
	}
	return keys
}

// selecting returns the deployments that may adopt an ownerless set.
func (k *Controller) selecting(o schemas.Object) (keys []schemas.Ref) {
	if metav1.GetControllerOfNoCopy(o) != nil {
		return nil
	}
	for _, obj := range k.c.View.List(schemas.Deployments, schemas.Namespace(o.GetNamespace())) {
		d, ok := obj.(*appsv1.Deployment)
		if !ok {
			continue
		}
		if s, err := metav1.LabelSelectorAsSelector(d.Spec.Selector); err == nil && !s.Empty() && s.Matches(labels.Set(o.GetLabels())) {
			keys = append(keys, schemas.RefOf(schemas.Deployments, d))
		}
	}
	return keys
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
	return k.owners(rs)
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
	sets, err := k.claim(ctx, d, selector)
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

// claim adopts and releases, and returns the sets that are d's own.
func (k *Controller) claim(ctx context.Context, d *appsv1.Deployment, selector labels.Selector) ([]*appsv1.ReplicaSet, error) {
	var candidates []*appsv1.ReplicaSet
	for _, o := range k.c.View.List(schemas.ReplicaSets, schemas.Namespace(d.Namespace)) {
		if rs, ok := o.(*appsv1.ReplicaSet); ok {
			candidates = append(candidates, rs)
		}
	}
	claim := owner.Sort(d, selector, candidates)
	for _, rs := range claim.Release {
		if _, err := k.c.API.Update(ctx, schemas.ReplicaSets, owner.Released(rs, d.UID), ""); err != nil {
			return nil, fmt.Errorf("release replicaset %s: %w", rs.Name, err)
		}
	}
	if len(claim.Adopt) == 0 {
		return claim.Mine, nil
	}
	if uid, err := k.c.Truth.UID(ctx, schemas.RefOf(schemas.Deployments, d)); err != nil || uid != d.UID {
		return claim.Mine, err
	}
	for _, rs := range claim.Adopt {
		adopted := owner.Adopted(rs, owner.Ref(d, appsv1.SchemeGroupVersion.WithKind("Deployment")))
		out, err := k.c.API.Update(ctx, schemas.ReplicaSets, adopted, "")
		if err != nil {
			return nil, fmt.Errorf("adopt replicaset %s: %w", rs.Name, err)
		}
		if rs, ok := out.(*appsv1.ReplicaSet); ok {
			claim.Mine = append(claim.Mine, rs)
		}
	}
	return claim.Mine, nil
}

// podsOf returns the pods of the sets for the only strategy that looks at them.
func (k *Controller) podsOf(d *appsv1.Deployment, sets []*appsv1.ReplicaSet) map[types.UID][]*corev1.Pod {
	if d.Spec.Strategy.Type != appsv1.RecreateDeploymentStrategyType {
		return nil
	}
	pods := map[types.UID][]*corev1.Pod{}
	for _, rs := range sets {
		for _, o := range k.c.View.Owned(string(rs.UID)) {
			if p, ok := o.(*corev1.Pod); ok && metav1.IsControlledBy(p, rs) {
				pods[rs.UID] = append(pods[rs.UID], p)
			}
		}
	}
	return pods
}
