// Package garbage deletes what nobody owns any more, and lets owners go in the
// order that was asked for: dependents first, or left behind.
//
// Reads: objects of every kind, also of those that the table lacks, joined, and the stream itself to make sure that
// an owner is really gone.
// Writes: deletions, owner references and finalizers, through the apiserver.
// Triggered by: objects that have owners, their owners' deletion, and dependents'.
// Invariant: nothing is deleted for want of an owner while the stream holds an
// object with that owner's uid.
package garbage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	v1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/lru"

	"github.com/skerry/skerry/bus/view"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/controller/cluster"
)

// Controller reconciles objects of every kind.
type Controller struct {
	c *cluster.Cluster
	// strangers are the kinds that objects without a Go type were of.
	strangers strangers
	// absent are owners that the stream did not have. A uid does not come back.
	absent *lru.Cache
}

// maxAbsent is how many of them are remembered, as in Kubernetes.
const maxAbsent = 500

// New returns the controller.
func New(c *cluster.Cluster) *Controller { return &Controller{c: c, absent: lru.New(maxAbsent)} }

// Keys returns the objects that a change concerns: only changes of references,
// finalizers and existence do; statuses change far more often.
func (k *Controller) Keys(ch view.Change) []schemas.Ref {
	var keys []schemas.Ref
	now := ch.Object
	k.strangers.meet(ch.Ref, now)
	if ch.Type == view.Deleted {
		keys = k.byNode(k.c.View.OwnedBy(string(now.GetUID())))
		return append(keys, k.deletingOwners(now)...)
	}
	if !concerns(now) {
		return nil
	}
	if old := ch.Old; old != nil && old.GetUID() == now.GetUID() &&
		apiequality.Semantic.DeepEqual(old.GetOwnerReferences(), now.GetOwnerReferences()) &&
		slices.Equal(old.GetFinalizers(), now.GetFinalizers()) &&
		(old.GetDeletionTimestamp() == nil) == (now.GetDeletionTimestamp() == nil) {
		return nil
	}
	keys = append(keys, ch.Ref)
	if now.GetDeletionTimestamp() != nil && has(now, metav1.FinalizerDeleteDependents) {
		// Its dependents are to go before it, each in a reconciliation of its own.
		keys = append(keys, k.c.View.OwnedBy(string(now.GetUID()))...)
	}
	if ch.Old != nil {
		keys = append(keys, k.deletingOwners(ch.Old)...)
	}
	return keys
}

// byNode sorts dependents by the nodes that they are on: a node whose pods go at the same time
// hears of them, reports and asks for their removal together, and not for each by itself.
func (k *Controller) byNode(refs []schemas.Ref) []schemas.Ref {
	nodes := make(map[schemas.Ref]string, len(refs))
	for _, ref := range refs {
		obj, _ := k.c.View.Get(ref)
		if pod, ok := obj.(*v1.Pod); ok {
			nodes[ref] = pod.Spec.NodeName
		}
	}
	slices.SortStableFunc(refs, func(a, b schemas.Ref) int { return strings.Compare(nodes[a], nodes[b]) })
	return refs
}

func concerns(o schemas.Object) bool {
	return len(o.GetOwnerReferences()) > 0 || o.GetDeletionTimestamp() != nil && len(o.GetFinalizers()) > 0
}

// deletingOwners returns the owners that may have waited for o.
func (k *Controller) deletingOwners(o schemas.Object) (keys []schemas.Ref) {
	for _, r := range o.GetOwnerReferences() {
		ref, ok := k.ownerRef(o, r)
		if !ok {
			continue
		}
		if owner, ok := k.c.View.Get(ref); ok && owner.GetDeletionTimestamp() != nil {
			keys = append(keys, ref)
		}
	}
	return keys
}

// ownerRef finds the object that r means: in o's namespace, or cluster-scoped.
// Of kinds outside the table only those can be looked up of which there have been objects.
func (k *Controller) ownerRef(o schemas.Object, r metav1.OwnerReference) (schemas.Ref, bool) {
	gv, err := schema.ParseGroupVersion(r.APIVersion)
	if err != nil {
		return schemas.Ref{}, false
	}
	for _, kind := range k.c.Table.All() {
		if kind.Kind != r.Kind || kind.Resource.Group != gv.Group || kind.Store != schemas.StoreState {
			continue
		}
		ref := schemas.Ref{Resource: kind.Resource, Name: schemas.Name(r.Name)}
		if kind.Namespaced {
			ref.Namespace = schemas.Namespace(o.GetNamespace())
		}
		return ref, true
	}
	return k.strangers.ref(o, r, gv.Group)
}

// Reconcile does what is due for the object that key names.
func (k *Controller) Reconcile(ctx context.Context, key schemas.Ref) (time.Duration, error) {
	// Load.
	obj, ok := k.c.View.Get(key)
	if !ok || !concerns(obj) {
		return 0, nil
	}
	owners, err := k.owners(ctx, obj)
	if err != nil {
		return 0, err
	}
	if obj.GetDeletionTimestamp() != nil && (has(obj, metav1.FinalizerOrphanDependents) || has(obj, metav1.FinalizerDeleteDependents)) {
		// A dependent that the view does not show yet must not be overlooked.
		if err := k.c.Truth.Refresh(ctx); err != nil {
			return 0, err
		}
	}
	// Plan.
	p := plan(obj, owners, k.dependents(obj))
	// Apply.
	return 0, k.apply(ctx, key, obj, p)
}

// owners asks the view first, which is right about what it shows, and the stream
// about what it does not.
func (k *Controller) owners(ctx context.Context, obj schemas.Object) (map[types.UID]standing, error) {
	out := map[types.UID]standing{}
	if obj.GetDeletionTimestamp() != nil {
		return out, nil
	}
	for _, r := range obj.GetOwnerReferences() {
		ref, known := k.ownerRef(obj, r)
		if !known {
			out[r.UID] = present
			continue
		}
		if o, ok := k.c.View.Get(ref); ok && o.GetUID() == r.UID {
			out[r.UID] = present
			if o.GetDeletionTimestamp() != nil && has(o, metav1.FinalizerDeleteDependents) {
				out[r.UID] = waiting
			}
			continue
		}
		if _, gone := k.absent.Get(r.UID); gone {
			out[r.UID] = absent
			continue
		}
		uid, err := k.c.Truth.UID(ctx, ref)
		if err != nil {
			return nil, fmt.Errorf("look up owner %s: %w", ref, err)
		}
		if uid != r.UID {
			k.absent.Add(r.UID, nil)
			out[r.UID] = absent
		}
	}
	return out, nil
}

func (k *Controller) dependents(obj schemas.Object) (deps []dependent) {
	for _, ref := range k.c.View.OwnedBy(string(obj.GetUID())) {
		if o, ok := k.c.View.Get(ref); ok {
			deps = append(deps, dependent{ref, o})
		}
	}
	return deps
}

func (k *Controller) apply(ctx context.Context, key schemas.Ref, obj schemas.Object, p Plan) error {
	var errs []error
	for _, d := range p.Orphan {
		_, err := k.c.API.Update(ctx, d.ref.Resource, without(d.object, obj.GetUID()), "")
		errs = append(errs, ignoreGone(err))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("release dependents of %s: %w", key, err)
	}
	if len(p.Drop) > 0 {
		if _, err := k.c.API.Update(ctx, key.Resource, without(obj, p.Drop...), ""); ignoreGone(err) != nil {
			return fmt.Errorf("drop owners of %s: %w", key, err)
		}
	}
	if len(p.Finalize) > 0 {
		if _, err := k.c.API.Update(ctx, key.Resource, unfinalized(obj, p.Finalize), ""); ignoreGone(err) != nil {
			return fmt.Errorf("finalize %s: %w", key, err)
		}
	}
	if p.Unblock {
		if _, err := k.c.API.Update(ctx, key.Resource, unblocking(obj), ""); ignoreGone(err) != nil {
			return fmt.Errorf("unblock owners of %s: %w", key, err)
		}
	}
	if p.Delete != "" {
		uid := obj.GetUID()
		o := metav1.DeleteOptions{PropagationPolicy: &p.Delete, Preconditions: &metav1.Preconditions{UID: &uid}}
		if err := k.c.API.Delete(ctx, key, o); ignoreGone(err) != nil {
			return fmt.Errorf("delete %s: %w", key, err)
		}
	}
	return nil
}

func ignoreGone(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
