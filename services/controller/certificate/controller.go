// Package certificate removes requests for pods' certificates that have served: whoever asked has
// its certificate by then, or asks again.
//
// Reads: podcertificaterequests.
// Writes: their deletion, through the apiserver.
// Triggered by: a request that is new, and the end of its time.
// Invariant: no request is deleted before its time, nor another one of its name.
package certificate

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus/view"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/controller/cluster"
)

// kept is how long requests stay, whatever has become of them, as in Kubernetes.
const kept = 15 * time.Minute

// Controller deletes requests.
type Controller struct{ c *cluster.Cluster }

// New returns the controller.
func New(c *cluster.Cluster) *Controller { return &Controller{c: c} }

// Keys returns the request that is new.
func (k *Controller) Keys(ch view.Change) []schemas.Ref {
	if ch.Ref.Resource != schemas.PodCertificateRequests || ch.Type != view.Added {
		return nil
	}
	return []schemas.Ref{ch.Ref}
}

// Reconcile deletes the request that key names once its time has come.
func (k *Controller) Reconcile(ctx context.Context, key schemas.Ref) (time.Duration, error) {
	// Load.
	obj, ok := k.c.View.Get(key)
	if !ok || obj.GetDeletionTimestamp() != nil {
		return 0, nil
	}
	// Plan.
	if left := plan(obj, k.c.Now()); left > 0 {
		return left, nil
	}
	// Apply.
	uid := obj.GetUID()
	err := k.c.API.Delete(ctx, key, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}})
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return 0, fmt.Errorf("remove %s: %w", key, err)
	}
	return 0, nil
}

// plan is how long obj still stays.
func plan(obj schemas.Object, now time.Time) time.Duration {
	return obj.GetCreationTimestamp().Add(kept).Sub(now)
}
