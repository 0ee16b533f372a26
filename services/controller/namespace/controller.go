// Package namespace leads a namespace through its life: the default ServiceAccount
// while it is active, and emptying it when it is deleted.
//
// Reads: namespaces and everything in them, joined.
// Writes: the default serviceaccount, deletions and the namespace's finalizer,
// through the apiserver; current.namespaces._.<name>.
// Triggered by: changes of a namespace, its ServiceAccount going, and objects
// leaving a namespace that is being deleted.
// Invariant: a namespace goes only when a view that reflects everything stored by
// then shows nothing in it.
package namespace

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/skerry/skerry/bus/view"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/controller/cluster"
)

const (
	defaultAccount = "default"
	// recheck is for content that leaves without a change of the view: none is
	// known, but a namespace that hangs is a nuisance.
	recheck = 15 * time.Second
)

// Controller reconciles namespaces.
type Controller struct {
	c *cluster.Cluster

	mu sync.Mutex
	// strangers are the resources of objects in namespaces that have no Go type: this process' table
	// may lack them, but a namespace with such an object is not empty.
	strangers map[schemas.Resource]bool
}

// New returns the controller.
func New(c *cluster.Cluster) *Controller {
	return &Controller{c: c, strangers: map[schemas.Resource]bool{}}
}

// Keys returns the namespaces that a change concerns.
func (k *Controller) Keys(ch view.Change) []schemas.Ref {
	if ch.Ref.Resource == schemas.Namespaces {
		return []schemas.Ref{ch.Ref}
	}
	if ch.Ref.Namespace == "" {
		return nil
	}
	if schemas.IsUntyped(ch.Object) {
		k.mu.Lock()
		k.strangers[ch.Ref.Resource] = true
		k.mu.Unlock()
	}
	key := schemas.Ref{Resource: schemas.Namespaces, Name: schemas.Name(ch.Ref.Namespace)}
	if ch.Ref.Resource == schemas.ServiceAccounts && ch.Ref.Name == defaultAccount && ch.Type == view.Deleted {
		return []schemas.Ref{key}
	}
	ns, ok := k.c.View.Get(key)
	if ok && ns.GetDeletionTimestamp() != nil && ch.Type != view.Modified {
		return []schemas.Ref{key}
	}
	return nil
}

// Reconcile does what is due for the namespace that key names.
func (k *Controller) Reconcile(ctx context.Context, key schemas.Ref) (time.Duration, error) {
	// Load.
	ns, ok, err := k.get(key)
	if !ok || err != nil {
		return 0, err
	}
	if ns.DeletionTimestamp == nil {
		return 0, k.activate(ctx, ns)
	}
	// Plan and apply: delete what is not being deleted yet.
	p := plan(ns, k.contents(ns), true, nil, k.c.Now())
	var failed []error
	for _, r := range p.Empty {
		if err := k.c.API.DeleteAll(ctx, r, schemas.Namespace(ns.Name)); err != nil {
			failed = append(failed, fmt.Errorf("delete %s: %w", r, err))
		}
	}
	// Plan again on a state that is certainly no older than the deletions.
	if err := k.c.Truth.Refresh(ctx); err != nil {
		return 0, err
	}
	if ns, ok, err = k.get(key); !ok || err != nil {
		return 0, err
	}
	p = plan(ns, k.contents(ns), true, errors.Join(failed...), k.c.Now())
	// Report, before the namespace may go.
	if err := k.conclude(ctx, ns, p.Status); err != nil {
		return 0, err
	}
	if !p.Finalize {
		return recheck, errors.Join(failed...)
	}
	return 0, k.finalize(ctx, ns)
}

func (k *Controller) get(key schemas.Ref) (*corev1.Namespace, bool, error) {
	obj, ok := k.c.View.Get(key)
	if !ok {
		return nil, false, nil
	}
	ns, ok := obj.(*corev1.Namespace)
	if !ok {
		return nil, false, fmt.Errorf("reconcile %s: it is a %T", key, obj)
	}
	return ns, true, nil
}

func (k *Controller) activate(ctx context.Context, ns *corev1.Namespace) error {
	account := schemas.Ref{Resource: schemas.ServiceAccounts, Namespace: schemas.Namespace(ns.Name), Name: defaultAccount}
	_, there := k.c.View.Get(account)
	p := plan(ns, nil, there || k.c.Table.ByResource(schemas.ServiceAccounts) == nil, nil, k.c.Now())
	if p.ServiceAccount {
		sa := &corev1.ServiceAccount{}
		sa.APIVersion, sa.Kind = "v1", "ServiceAccount"
		sa.Name, sa.Namespace = defaultAccount, ns.Name
		_, err := k.c.API.Create(ctx, schemas.ServiceAccounts, sa)
		if err != nil && !apierrors.IsAlreadyExists(err) && !apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
			return fmt.Errorf("create serviceaccount %s/%s: %w", ns.Name, defaultAccount, err)
		}
	}
	return k.conclude(ctx, ns, p.Status)
}

// contents counts what the view shows in ns. Events are not counted: they expire.
func (k *Controller) contents(ns *corev1.Namespace) (out []content) {
	for _, r := range k.resources() {
		c := content{resource: r}
		for _, o := range k.c.View.List(r, schemas.Namespace(ns.Name)) {
			c.objects++
			if o.GetDeletionTimestamp() == nil {
				c.fresh++
			}
			c.finalizers = append(c.finalizers, o.GetFinalizers()...)
		}
		out = append(out, c)
	}
	return out
}

// resources are those that can be in a namespace.
func (k *Controller) resources() (out []schemas.Resource) {
	for _, kind := range k.c.Table.All() {
		if kind.Namespaced && kind.Store == schemas.StoreState {
			out = append(out, kind.Resource)
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for r := range k.strangers {
		if k.c.Table.ByResource(r) == nil {
			out = append(out, r)
		}
	}
	return out
}

func (k *Controller) conclude(ctx context.Context, ns *corev1.Namespace, status corev1.NamespaceStatus) error {
	return k.c.Status.Conclude(ctx, schemas.RefOf(schemas.Namespaces, ns), ns.UID, func(schemas.Object) schemas.Object {
		next := ns.DeepCopy()
		next.Status = status
		return next
	})
}

func (k *Controller) finalize(ctx context.Context, ns *corev1.Namespace) error {
	// The status that was just written has moved the resourceVersion on.
	if fresh, ok, err := k.get(schemas.RefOf(schemas.Namespaces, ns)); err != nil || !ok {
		return err
	} else if fresh.UID == ns.UID {
		ns = fresh
	}
	_, err := k.c.API.Update(ctx, schemas.Namespaces, finalized(ns), "finalize")
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("finalize namespace %s: %w", ns.Name, err)
	}
	return nil
}
