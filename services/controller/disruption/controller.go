// Package disruption concludes how many pods of each PodDisruptionBudget may be
// evicted just now.
//
// Reads: poddisruptionbudgets, the pods that they select, and how many of these
// their owners ask for, joined.
// Writes: current.policy/poddisruptionbudgets.<namespace>.<name>; events.
// Triggered by: changes of a budget, of its pods and of their owners, and an eviction
// that never came to be, after two minutes.
// Invariant: disruptionsAllowed is never more than the healthy pods beyond those that
// must be; an eviction that the apiserver has counted stays counted until its pod goes.
package disruption

import (
	"context"
	"fmt"
	"reflect"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/skerry/skerry/bus/view"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/outline"
	"github.com/skerry/skerry/services/controller/cluster"
)

// Controller reconciles budgets.
type Controller struct{ c *cluster.Cluster }

// New returns the controller.
func New(c *cluster.Cluster) *Controller { return &Controller{c: c} }

// Keys returns the budgets that a change concerns.
func (k *Controller) Keys(ch view.Change) (keys []schemas.Ref) {
	if ch.Ref.Resource == schemas.PodDisruptionBudgets {
		return []schemas.Ref{ch.Ref}
	}
	kind := k.c.Table.ByResource(ch.Ref.Resource)
	if ch.Ref.Resource != schemas.Pods && (kind == nil || kind.Scale == nil || ch.Old != nil && replicas(kind, ch.Object) == replicas(kind, ch.Old)) {
		return nil
	}
	for _, o := range k.c.View.List(schemas.PodDisruptionBudgets, ch.Ref.Namespace) {
		b, ok := o.(*policyv1.PodDisruptionBudget)
		if !ok {
			continue
		}
		s := selector(b)
		if ch.Ref.Resource != schemas.Pods || s.Matches(labels.Set(ch.Object.GetLabels())) || ch.Old != nil && s.Matches(labels.Set(ch.Old.GetLabels())) {
			keys = append(keys, schemas.RefOf(schemas.PodDisruptionBudgets, b))
		}
	}
	return keys
}

// selector is b's; as in policy/v1 an empty one selects all, and none nothing.
func selector(b *policyv1.PodDisruptionBudget) labels.Selector {
	s, err := metav1.LabelSelectorAsSelector(b.Spec.Selector)
	if err != nil {
		return labels.Nothing()
	}
	return s
}

// Reconcile writes the status of the budget that key names.
func (k *Controller) Reconcile(ctx context.Context, key schemas.Ref) (time.Duration, error) {
	// Load.
	obj, ok := k.c.View.Get(key)
	b, isBudget := obj.(*policyv1.PodDisruptionBudget)
	if !ok || !isBudget {
		return 0, nil
	}
	var pods []*corev1.Pod
	s := selector(b)
	for _, o := range k.c.View.List(schemas.Pods, key.Namespace) {
		if p, ok := o.(*corev1.Pod); ok && s.Matches(labels.Set(p.Labels)) {
			pods = append(pods, p)
		}
	}
	var asked int32
	var err error
	if ownersCount(b) {
		asked, err = k.asked(pods)
	}
	// Plan, on what is stored: an eviction may have been counted just now.
	var again time.Duration
	applyErr := k.c.Status.Conclude(ctx, key, b.UID, func(current schemas.Object) schemas.Object {
		next, _ := current.(*policyv1.PodDisruptionBudget)
		if next == nil {
			next = &policyv1.PodDisruptionBudget{TypeMeta: b.TypeMeta}
			next.Name, next.Namespace, next.UID = b.Name, b.Namespace, b.UID
		}
		var st policyv1.PodDisruptionBudgetStatus
		st, again = plan(b, &next.Status, pods, asked, err, k.c.Now())
		if !apiequality.Semantic.DeepEqual(next.Status, st) {
			next.Status = st
		}
		return next
	})
	// Report.
	for _, e := range report(b, pods, err, k.c.Now()) {
		k.c.Events.Event(e.about, e.kind, e.reason, e.message)
	}
	return again, applyErr
}

// asked is how many pods the owners of these want altogether. Pods without an owner
// count for nothing.
func (k *Controller) asked(pods []*corev1.Pod) (int32, error) {
	total := int32(0)
	seen := map[schemas.Ref]bool{}
	for _, p := range pods {
		owner := metav1.GetControllerOfNoCopy(p)
		if owner == nil {
			continue
		}
		kind, top, err := k.scaled(p.Namespace, owner)
		if err != nil {
			return 0, err
		}
		if top == nil {
			continue // gone: the garbage collector's
		}
		ref := schemas.RefOf(kind.Resource, top)
		if !seen[ref] {
			seen[ref] = true
			total += replicas(kind, top)
		}
	}
	return total, nil
}

// scaled follows owners upwards to the one whose replicas count.
func (k *Controller) scaled(namespace string, owner *metav1.OwnerReference) (of *schemas.Kind, found schemas.Object, err error) {
	for ; owner != nil; owner = metav1.GetControllerOfNoCopy(found) {
		gv, err := schema.ParseGroupVersion(owner.APIVersion)
		if err != nil {
			return nil, nil, fmt.Errorf("read owner %s: %w", owner.Name, err)
		}
		kind := k.c.Table.ByGVK(gv.WithKind(owner.Kind))
		if kind == nil || kind.Scale == nil {
			if found != nil {
				return of, found, nil
			}
			return nil, nil, fmt.Errorf("%s %s does not implement the scale subresource", owner.Kind, owner.Name)
		}
		obj, ok := k.c.View.Get(schemas.Ref{Resource: kind.Resource, Namespace: schemas.Namespace(namespace), Name: schemas.Name(owner.Name)})
		if !ok || obj.GetUID() != owner.UID {
			return of, found, nil
		}
		of, found = kind, obj
	}
	return of, found, nil
}

// replicas is how many an object of k, which has a scale, asks for; 1 if it does not say.
func replicas(k *schemas.Kind, o schemas.Object) int32 {
	if schemas.IsUntyped(o) {
		if n, ok := outline.At(o, k.Scale.Replicas).(int64); ok {
			return int32(n)
		}
		return 1
	}
	v := reflect.Indirect(reflect.ValueOf(o))
	if v.Kind() != reflect.Struct || !v.FieldByName("Spec").IsValid() {
		return 0
	}
	f := v.FieldByName("Spec").FieldByName("Replicas")
	if !f.IsValid() {
		return 0
	}
	p, ok := f.Interface().(*int32)
	switch {
	case !ok:
		return 0
	case p == nil:
		return 1
	}
	return *p
}
