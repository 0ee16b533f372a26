package endpointslice

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus/view"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/controller/cluster"
)

const (
	// mirroredBy is who Kubernetes' tools take for the keeper of mirrored slices.
	mirroredBy = "endpointslicemirroring-controller.k8s.io"
	// leaderNote is an annotation of Endpoints that say who leads, and are no addresses of anything.
	leaderNote = "control-plane.alpha.kubernetes.io/leader"
)

// Mirror reconciles Endpoints that somebody wrote for a service without a selector: they become slices,
// which is what everybody reads.
type Mirror struct{ c *cluster.Cluster }

// NewMirror returns the controller.
func NewMirror(c *cluster.Cluster) *Mirror { return &Mirror{c: c} }

// Keys returns the Endpoints that a change concerns.
func (m *Mirror) Keys(ch view.Change) []schemas.Ref {
	switch ch.Ref.Resource {
	case schemas.Endpoints, schemas.Services:
		return []schemas.Ref{{Resource: schemas.Endpoints, Namespace: ch.Ref.Namespace, Name: ch.Ref.Name}}
	case schemas.EndpointSlices:
		return kept(ch, mirroredBy, schemas.Endpoints)
	}
	return nil
}

// Reconcile brings the slices of the Endpoints that key names up to date. Those of Endpoints that are gone go
// with them.
func (m *Mirror) Reconcile(ctx context.Context, key schemas.Ref) (time.Duration, error) {
	// Load.
	obj, ok := m.c.View.Get(key)
	if !ok {
		return 0, nil
	}
	e, ok := obj.(*corev1.Endpoints)
	if !ok {
		return 0, fmt.Errorf("reconcile %s: it is a %T", key, obj)
	}
	if e.DeletionTimestamp != nil {
		return 0, nil
	}
	have := m.slices(e)
	taken := func(name string) bool {
		_, ok := m.c.View.Get(schemas.Ref{Resource: schemas.EndpointSlices, Namespace: key.Namespace, Name: schemas.Name(name)})
		return ok
	}
	// Plan.
	p, skipped := Plan{Delete: have}, 0
	if m.wanted(e) {
		p, skipped = planMirror(e, have, taken)
	}
	// Apply.
	err := apply(ctx, m.c, &p)
	// Report.
	if skipped > 0 {
		m.c.Events.Event(e, corev1.EventTypeWarning, "TooManyAddressesToMirror",
			fmt.Sprintf("A max of %d addresses can be mirrored to EndpointSlices per Endpoints subset. %d addresses were skipped", maxMirrored, skipped))
	}
	return 0, err
}

// wanted tells whether e is to be mirrored.
func (m *Mirror) wanted(e *corev1.Endpoints) bool {
	if _, leads := e.Annotations[leaderNote]; leads || e.Labels[discoveryv1.LabelSkipMirror] == "true" {
		return false
	}
	o, _ := m.c.View.Get(schemas.Ref{Resource: schemas.Services, Namespace: schemas.Namespace(e.Namespace), Name: schemas.Name(e.Name)})
	svc, ok := o.(*corev1.Service)
	return ok && svc.Spec.Selector == nil
}

// slices returns those that mirror e.
func (m *Mirror) slices(e *corev1.Endpoints) (out []*discoveryv1.EndpointSlice) {
	for _, o := range m.c.View.Owned(string(e.UID)) {
		s, ok := o.(*discoveryv1.EndpointSlice)
		if ok && s.Namespace == e.Namespace && s.DeletionTimestamp == nil && metav1.IsControlledBy(s, e) && s.Labels[discoveryv1.LabelManagedBy] == mirroredBy {
			out = append(out, s)
		}
	}
	return out
}
