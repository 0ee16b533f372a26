// Package replicaset keeps as many pods running as each ReplicaSet asks for.
//
// Reads: replicasets, their pods, and the pods of sibling sets (which nodes are
// crowded), joined.
// Writes: pods, through the apiserver; current.apps/replicasets.<namespace>.<name>;
// events.
// Triggered by: changes of a replicaset and of its pods, and a ready pod's
// minReadySeconds running out.
// Invariant: a pod's name follows from the set's uid and an ordinal, so no pod is
// made twice; pods that are being deleted or have ended do not count.
package replicaset

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/view"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/controller/cluster"
	"github.com/skerry/skerry/services/controller/owner"
)

// Controller reconciles replicasets.
type Controller struct {
	c *cluster.Cluster

	mu sync.Mutex
	// ordinal is the next unused one of each set: names are not used again while
	// this process leads, even after every pod of a set has gone.
	ordinal map[schemas.Ref]ordinal
}

type ordinal struct {
	uid  types.UID
	next int
}

// New returns the controller.
func New(c *cluster.Cluster) *Controller {
	return &Controller{c: c, ordinal: map[schemas.Ref]ordinal{}}
}

// Keys returns the replicasets that a change concerns.
func (k *Controller) Keys(ch view.Change) []schemas.Ref {
	switch ch.Ref.Resource {
	case schemas.ReplicaSets:
		return []schemas.Ref{ch.Ref}
	case schemas.Pods:
		keys := owners(ch.Object, ch.Old)
		if len(keys) == 0 {
			keys = k.selecting(ch.Object)
		}
		return keys
	}
	return nil
}

func owners(objs ...schemas.Object) (keys []schemas.Ref) {
	for _, o := range objs {
		if o == nil {
			continue
		}
		if ref := metav1.GetControllerOfNoCopy(o); ref != nil && ref.Kind == "ReplicaSet" {
			keys = append(keys, schemas.Ref{Resource: schemas.ReplicaSets, Namespace: schemas.Namespace(o.GetNamespace()), Name: schemas.Name(ref.Name)})
		}
	}
	return keys
}

// selecting returns the sets that may adopt an ownerless pod.
func (k *Controller) selecting(o schemas.Object) (keys []schemas.Ref) {
	if o == nil || metav1.GetControllerOfNoCopy(o) != nil {
		return nil
	}
	for _, obj := range k.c.View.List(schemas.ReplicaSets, schemas.Namespace(o.GetNamespace())) {
		rs, ok := obj.(*appsv1.ReplicaSet)
		if !ok {
			continue
		}
		if s, err := metav1.LabelSelectorAsSelector(rs.Spec.Selector); err == nil && !s.Empty() && s.Matches(labels.Set(o.GetLabels())) {
			keys = append(keys, schemas.RefOf(schemas.ReplicaSets, rs))
		}
	}
	return keys
}

// Reconcile brings the replicaset that key names to its size.
func (k *Controller) Reconcile(ctx context.Context, key schemas.Ref) (time.Duration, error) {
	// Load.
	obj, ok := k.c.View.Get(key)
	if !ok {
		k.forget(key)
		return 0, nil
	}
	rs, ok := obj.(*appsv1.ReplicaSet)
	if !ok {
		return 0, fmt.Errorf("reconcile %s: it is a %T", key, obj)
	}
	selector, err := metav1.LabelSelectorAsSelector(rs.Spec.Selector)
	if err != nil || selector.Empty() {
		return 0, nil // refused by validation; nothing can be claimed by it
	}
	there := append(k.c.View.Owned(string(rs.UID)), k.c.View.Loose(schemas.Namespace(rs.Namespace))...)
	mine, err := k.claim(ctx, rs, selector, there)
	if err != nil {
		return 0, err
	}
	// Plan.
	p := plan(rs, mine, k.related(rs, mine), k.taken(rs, there), k.next(key, rs, mine), k.c.Now())
	// Apply.
	reason, applyErr := k.apply(ctx, rs, &p)
	if applyErr == nil {
		// After a failure the same names are tried again: one may have got through.
		k.advance(key, rs, p.Next)
	}
	if errors.Is(applyErr, errTaken) {
		return 0, applyErr
	}
	// Report the pods as they are after that: a deployment builds on the count.
	if len(p.Create)+len(p.Delete) > 0 {
		p.count(rs, k.owned(rs), k.c.Now())
	}
	err = k.c.Status.Conclude(ctx, key, rs.UID, func(schemas.Object) schemas.Object {
		next := rs.DeepCopy()
		next.Status = withFailure(p.Status, reason, applyErr, k.c.Now())
		return next
	})
	if applyErr != nil {
		return 0, applyErr
	}
	return p.After, err
}

// claim adopts and releases, and returns the pods that are rs's own.
func (k *Controller) claim(ctx context.Context, rs *appsv1.ReplicaSet, selector labels.Selector, there []schemas.Object) ([]*corev1.Pod, error) {
	var candidates []*corev1.Pod
	for _, o := range there {
		if p, ok := o.(*corev1.Pod); ok {
			candidates = append(candidates, p)
		}
	}
	claim := owner.Sort(rs, selector, candidates)
	for _, p := range claim.Release {
		if _, err := k.c.API.Update(ctx, schemas.Pods, owner.Released(p, rs.UID), ""); err != nil {
			return nil, fmt.Errorf("release pod %s: %w", p.Name, err)
		}
	}
	if len(claim.Adopt) == 0 {
		return claim.Mine, nil
	}
	if uid, err := k.c.Truth.UID(ctx, schemas.RefOf(schemas.ReplicaSets, rs)); err != nil || uid != rs.UID {
		return claim.Mine, err
	}
	for _, p := range claim.Adopt {
		out, err := k.c.API.Update(ctx, schemas.Pods, owner.Adopted(p, owner.Ref(rs, appsv1.SchemeGroupVersion.WithKind("ReplicaSet"))), "")
		if err != nil {
			return nil, fmt.Errorf("adopt pod %s: %w", p.Name, err)
		}
		if p, ok := out.(*corev1.Pod); ok {
			claim.Mine = append(claim.Mine, p)
		}
	}
	return claim.Mine, nil
}

// owned returns the pods that rs controls.
func (k *Controller) owned(rs *appsv1.ReplicaSet) (out []*corev1.Pod) {
	for _, o := range k.c.View.Owned(string(rs.UID)) {
		if p, ok := o.(*corev1.Pod); ok && metav1.IsControlledBy(p, rs) {
			out = append(out, p)
		}
	}
	return out
}

// related returns the pods of all sets that have rs's controller.
func (k *Controller) related(rs *appsv1.ReplicaSet, mine []*corev1.Pod) []*corev1.Pod {
	top := metav1.GetControllerOfNoCopy(rs)
	if top == nil || len(mine) <= want(rs) {
		return mine
	}
	var out []*corev1.Pod
	for _, set := range k.c.View.OwnedBy(string(top.UID)) {
		sibling, ok := k.c.View.Get(set)
		if !ok {
			continue
		}
		for _, o := range k.c.View.Owned(string(sibling.GetUID())) {
			if p, ok := o.(*corev1.Pod); ok {
				out = append(out, p)
			}
		}
	}
	return out
}

// taken tells which names are in use. Of rs's own pods it goes by those that were
// counted: one that came since then must be met again by its name, not evaded.
func (k *Controller) taken(rs *appsv1.ReplicaSet, there []schemas.Object) func(string) bool {
	var names map[string]bool
	return func(name string) bool {
		if names == nil {
			names = make(map[string]bool, len(there))
			for _, o := range there {
				names[o.GetName()] = true
			}
		}
		if names[name] {
			return true
		}
		o, ok := k.c.View.Get(schemas.Ref{Resource: schemas.Pods, Namespace: schemas.Namespace(rs.Namespace), Name: schemas.Name(name)})
		return ok && !metav1.IsControlledBy(o, rs)
	}
}

// After says how long a set can wait for more of its pods' reports: counting a large
// one for each of them would be most of what this controller does.
func (k *Controller) After(ch view.Change, key schemas.Ref) time.Duration {
	if ch.Ref.Resource != schemas.Pods || ch.Part == bus.PrefixDesired {
		return 0
	}
	obj, ok := k.c.View.Get(key)
	if !ok {
		return 0
	}
	rs, ok := obj.(*appsv1.ReplicaSet)
	if !ok {
		return 0
	}
	return min(time.Duration(want(rs))*perPod, maxAfter)
}

const (
	perPod   = 25 * time.Microsecond
	maxAfter = 500 * time.Millisecond
)

func (k *Controller) next(key schemas.Ref, rs *appsv1.ReplicaSet, mine []*corev1.Pod) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	if o, ok := k.ordinal[key]; ok && o.uid == rs.UID {
		return o.next
	}
	return nextOrdinal(rs, mine)
}

func (k *Controller) advance(key schemas.Ref, rs *appsv1.ReplicaSet, next int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ordinal[key] = ordinal{uid: rs.UID, next: next}
}

func (k *Controller) forget(key schemas.Ref) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.ordinal, key)
}
