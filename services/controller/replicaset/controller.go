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
	"maps"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/view"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/controller/cluster"
	"github.com/skerry/skerry/services/controller/owner"
	"github.com/skerry/skerry/services/controller/pod"
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
	c    *cluster.Cluster
	sets sets
}

// New returns the controller.
func New(c *cluster.Cluster) *Controller {
	return &Controller{c: c, sets: newSets()}
}

// Keys returns the replicasets that a change concerns, and notes which of their pods it
// was.
func (k *Controller) Keys(ch view.Change) []schemas.Ref {
	switch ch.Ref.Resource {
	case schemas.ReplicaSets:
		return []schemas.Ref{ch.Ref}
	case schemas.Pods:
		k.sets.touch(ch.Object)
		k.sets.touch(ch.Old)
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
		k.sets.forget(key)
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
	s := k.sets.get(key, rs)
	after, err := k.claim(ctx, rs, selector, s)
	if err != nil {
		return 0, err
	}
	live, related := k.surplus(rs, s)
	if s.next < 0 {
		s.next = nextOrdinal(rs, k.owned(rs))
	}
	// Plan.
	p := plan(rs, int(s.tally.of(active)), live, related, k.taken(rs, s), s.next, k.c.Now())
	// Apply.
	reason, applyErr := k.apply(ctx, rs, s, &p)
	if applyErr == nil {
		// After a failure the same names are tried again: one may have got through.
		s.next = p.Next
	}
	if errors.Is(applyErr, errTaken) {
		return 0, applyErr
	}
	// Report the pods as they are after that: a deployment builds on the count.
	if s.touch(p.names()...); len(p.Create)+len(p.Delete) > 0 {
		after = k.count(rs, selector, s)
	}
	err = k.c.Status.Conclude(ctx, key, rs.UID, func(schemas.Object) schemas.Object {
		next := rs.DeepCopy()
		next.Status = withFailure(s.tally.status(rs), reason, applyErr, k.c.Now())
		return next
	})
	if applyErr != nil {
		return 0, applyErr
	}
	return after, err
}

// claim counts rs's pods once those are adopted and let go that are to be.
func (k *Controller) claim(ctx context.Context, rs *appsv1.ReplicaSet, selector labels.Selector, s *set) (time.Duration, error) {
	after := k.count(rs, selector, s)
	candidates := k.c.View.Loose(schemas.Namespace(rs.Namespace))
	for name := range s.tally.strays {
		if p := k.pod(rs, name); p != nil {
			candidates = append(candidates, p)
		}
	}
	changed, err := owner.Take[*corev1.Pod](ctx, kind, k.c.API, k.c.Truth, rs, selector, candidates)
	if err != nil || len(changed) == 0 && len(s.tally.strays) == 0 {
		return after, err
	}
	for _, p := range changed {
		s.touch(p.Name)
	}
	s.touch(slices.Collect(maps.Keys(s.tally.strays))...)
	return k.count(rs, selector, s), nil
}

// surplus returns rs's active pods and those that they are weighed against, if there are
// too many of them: only then is it necessary to know which they are.
func (k *Controller) surplus(rs *appsv1.ReplicaSet, s *set) (live, related []*corev1.Pod) {
	if int(s.tally.of(active)) <= want(rs) {
		return nil, nil
	}
	for _, p := range k.owned(rs) {
		if s.tally.pods[p.Name]&active != 0 && pod.Active(p) {
			live = append(live, p)
		}
	}
	return live, k.related(rs, live)
}

// owned returns the pods that rs controls. One of another namespace may say so, and is not.
func (k *Controller) owned(rs *appsv1.ReplicaSet) (out []*corev1.Pod) {
	for _, o := range k.c.View.Owned(string(rs.UID)) {
		if p, ok := o.(*corev1.Pod); ok && p.Namespace == rs.Namespace && metav1.IsControlledBy(p, rs) {
			out = append(out, p)
		}
	}
	return out
}

// related returns the pods of all sets that have rs's controller.
func (k *Controller) related(rs *appsv1.ReplicaSet, mine []*corev1.Pod) []*corev1.Pod {
	top := metav1.GetControllerOfNoCopy(rs)
	if top == nil {
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
func (k *Controller) taken(rs *appsv1.ReplicaSet, s *set) func(string) bool {
	return func(name string) bool {
		if _, counted := s.tally.pods[name]; counted {
			return true
		}
		o, ok := k.c.View.Get(schemas.Ref{Resource: schemas.Pods, Namespace: schemas.Namespace(rs.Namespace), Name: schemas.Name(name)})
		return ok && !metav1.IsControlledBy(o, rs)
	}
}

// After says how long a set can wait for more of its pods' reports: a large one's status
// would be written for each of them.
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
