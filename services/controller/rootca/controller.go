// Package rootca publishes the certificate authority of the HTTP API in every namespace,
// where the token volumes of pods take it from.
//
// Reads: namespaces, configmaps.
// Writes: the configmap kube-root-ca.crt of each namespace, through the apiserver.
// Triggered by: changes of a namespace and of that configmap.
// Invariant: each namespace that stays has the configmap, with this authority and nothing
// else in it; doing it again changes nothing.
package rootca

import (
	"context"
	"fmt"
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus/view"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/controller/cluster"
)

const (
	// Name of the configmap and its key are what Kubernetes' clients look for.
	name = "kube-root-ca.crt"
	key  = "ca.crt"
)

// Controller reconciles the configmaps.
type Controller struct {
	c    *cluster.Cluster
	data map[string]string
}

// New returns the controller of an authority, as PEM.
func New(c *cluster.Cluster, authority string) *Controller {
	return &Controller{c: c, data: map[string]string{key: authority}}
}

// Keys returns the namespaces that a change concerns.
func (k *Controller) Keys(ch view.Change) []schemas.Ref {
	switch {
	case ch.Ref.Resource == schemas.Namespaces && ch.Type != view.Deleted:
		return []schemas.Ref{ch.Ref}
	case ch.Ref.Resource == schemas.ConfigMaps && ch.Ref.Name == name:
		return []schemas.Ref{{Resource: schemas.Namespaces, Name: schemas.Name(ch.Ref.Namespace)}}
	}
	return nil
}

// Reconcile has the namespace that key names hold the authority.
func (k *Controller) Reconcile(ctx context.Context, key schemas.Ref) (time.Duration, error) {
	// Load.
	ns, ok := k.c.View.Get(key)
	if !ok || ns.GetDeletionTimestamp() != nil {
		return 0, nil
	}
	o, _ := k.c.View.Get(schemas.Ref{Resource: schemas.ConfigMaps, Namespace: schemas.Namespace(key.Name), Name: name})
	now, _ := o.(*corev1.ConfigMap)
	// Plan.
	next := plan(string(key.Name), now, k.data)
	if next == nil {
		return 0, nil
	}
	// Apply.
	var err error
	if now == nil {
		_, err = k.c.API.Create(ctx, schemas.ConfigMaps, next)
	} else {
		_, err = k.c.API.Update(ctx, schemas.ConfigMaps, next, "")
	}
	if err != nil && !settled(err) {
		return 0, fmt.Errorf("publish authority in namespace %s: %w", key.Name, err)
	}
	return 0, nil
}

// settled: a change that the view has not shown yet made the write needless, or will wake
// this namespace again.
func settled(err error) bool {
	return apierrors.IsAlreadyExists(err) || apierrors.IsNotFound(err) || apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause)
}

// plan returns the configmap as it has to be, nil if it is that already.
func plan(namespace string, now *corev1.ConfigMap, data map[string]string) *corev1.ConfigMap {
	switch {
	case now == nil:
		return &corev1.ConfigMap{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Data: data,
		}
	case now.DeletionTimestamp != nil || maps.Equal(now.Data, data) && len(now.BinaryData) == 0:
		return nil
	}
	next := now.DeepCopy()
	next.Data, next.BinaryData = data, nil
	return next
}
