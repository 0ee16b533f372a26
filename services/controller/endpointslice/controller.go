// Package endpointslice keeps which pods are behind each service, and mirrors Endpoints that somebody else
// keeps for a service without a selector into slices.
//
// Reads: services, the pods that they select, the zones of nodes, endpointslices and
// endpoints, joined.
// Writes: endpointslices and endpoints, through the apiserver. They are objects as
// ReplicaSets are, not conclusions under current: users make some themselves, for services without a
// selector, and may look at and watch all of them alike.
// Triggered by: changes of a service, of pods that it selects as far as endpoints show it, of
// their nodes' zones, and of slices and endpoints themselves.
// Invariant: the slices of a service hold each of its pods with an address once, and nothing else, at
// most 100 in each; a slice changes only if something in it does, or to be filled; its
// name follows from the service's uid and an ordinal, so no slice is made twice.
package endpointslice

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/skerry/skerry/bus/view"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/controller/cluster"
)

// Controller reconciles services' endpoints.
type Controller struct {
	c     *cluster.Cluster
	index index
}

// New returns the controller.
func New(c *cluster.Cluster) *Controller {
	return &Controller{c: c, index: index{services: map[schemas.Namespace]map[schemas.Name]selecting{}}}
}

// Reconcile brings the endpoints of the service that key names up to date.
func (k *Controller) Reconcile(ctx context.Context, key schemas.Ref) (time.Duration, error) {
	// Load.
	obj, ok := k.c.View.Get(key)
	if !ok {
		return 0, k.removeEndpoints(ctx, key)
	}
	svc, ok := obj.(*corev1.Service)
	if !ok {
		return 0, fmt.Errorf("reconcile %s: it is a %T", key, obj)
	}
	if !managed(svc) || svc.DeletionTimestamp != nil {
		k.index.size(key, 0)
		return 0, nil
	}
	pods := k.pods(svc)
	k.index.size(key, len(pods))
	// Plan.
	p := plan(svc, members(svc, pods, k.zone), k.slices(svc), k.taken(key.Namespace))
	legacy := planEndpoints(svc, pods, k.endpoints(key))
	// Apply.
	err := apply(ctx, k.c, &p)
	return 0, errors.Join(err, k.applyEndpoints(ctx, legacy))
}

// managed tells whether svc's endpoints are this controller's: those of a service without a
// selector are somebody else's.
func managed(svc *corev1.Service) bool {
	return svc.Spec.Type != corev1.ServiceTypeExternalName && svc.Spec.Selector != nil
}

// pods returns those that svc selects.
func (k *Controller) pods(svc *corev1.Service) (out []*corev1.Pod) {
	s := labels.SelectorFromSet(svc.Spec.Selector)
	for _, o := range k.c.View.List(schemas.Pods, schemas.Namespace(svc.Namespace)) {
		if p, ok := o.(*corev1.Pod); ok && s.Matches(labels.Set(p.Labels)) {
			out = append(out, p)
		}
	}
	return out
}

// zone returns the zone that a node is in, and whether there is that node.
func (k *Controller) zone(node string) (string, bool) {
	o, ok := k.c.View.Get(schemas.Ref{Resource: schemas.Nodes, Name: schemas.Name(node)})
	if !ok {
		return "", false
	}
	return o.GetLabels()[corev1.LabelTopologyZone], true
}

// slices returns those of svc that this controller keeps: others may keep some for the same service.
func (k *Controller) slices(svc *corev1.Service) (out []*discoveryv1.EndpointSlice) {
	for _, o := range k.c.View.Owned(string(svc.UID)) {
		if s, ok := o.(*discoveryv1.EndpointSlice); ok && s.Namespace == svc.Namespace && s.DeletionTimestamp == nil && metav1.IsControlledBy(s, svc) && s.Labels[discoveryv1.LabelManagedBy] == managedBy {
			out = append(out, s)
		}
	}
	return out
}

// taken tells which names slices of ns cannot have any more.
func (k *Controller) taken(ns schemas.Namespace) func(string) bool {
	return func(name string) bool {
		_, ok := k.c.View.Get(schemas.Ref{Resource: schemas.EndpointSlices, Namespace: ns, Name: schemas.Name(name)})
		return ok
	}
}

// After says how long a service can wait for more of its pods' changes, and of those that it
// made of its slices itself: each would plan all of it, and write a slice of a hundred.
func (k *Controller) After(ch view.Change, key schemas.Ref) time.Duration {
	if ch.Ref.Resource == schemas.Services {
		return 0
	}
	return min(time.Duration(k.index.pods(key))*perPod, maxAfter)
}

const (
	perPod   = 200 * time.Microsecond
	maxAfter = 2 * time.Second
)
