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
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/view"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/controller/cluster"
	"github.com/skerry/skerry/services/controller/owner"
)

// kind is what owns pods here.
var kind = owner.Kind{
	GroupVersionKind: appsv1.SchemeGroupVersion.WithKind("ReplicaSet"), Resource: schemas.ReplicaSets, Owned: schemas.Pods,
	Selector: func(o schemas.Object) *metav1.LabelSelector {
		if rs, ok := o.(*appsv1.ReplicaSet); ok {
			return rs.Spec.Selector
		}
		return nil
	},
}

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
		keys := kind.Of(ch.Object, ch.Old)
		if len(keys) == 0 {
			keys = kind.Selecting(k.c.View, ch.Object)
		}
		return keys
	}
	return nil
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
	mine, err := owner.Take[*corev1.Pod](ctx, kind, k.c.API, k.c.Truth, rs, selector, there)
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
