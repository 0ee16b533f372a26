package describe

import (
	"cmp"
	"context"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/cli/target"
	"github.com/skerry/skerry/schemas"
)

// Near is what an object's page shows of others.
type Near struct {
	ReplicaSets []*appsv1.ReplicaSet
	Pods        []*corev1.Pod
	Endpoints   []*discoveryv1.EndpointSlice
}

func neighbours(ctx context.Context, client *api.Client, o target.Found) (Near, error) {
	var near Near
	ns := schemas.Namespace(o.Object.GetNamespace())
	switch obj := o.Object.(type) {
	case *appsv1.Deployment:
		sets, _, err := client.List(ctx, schemas.ReplicaSets, ns, metav1.ListOptions{})
		if err != nil {
			return near, err
		}
		for _, s := range sets {
			if rs, ok := s.(*appsv1.ReplicaSet); ok && metav1.IsControlledBy(rs, obj) {
				near.ReplicaSets = append(near.ReplicaSets, rs)
			}
		}
	case *appsv1.ReplicaSet:
		return podsWhere(ctx, client, ns, "", func(p *corev1.Pod) bool { return metav1.IsControlledBy(p, obj) })
	case *corev1.Service:
		objs, _, err := client.List(ctx, schemas.EndpointSlices, ns, metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=" + obj.Name})
		if err != nil {
			return near, err
		}
		for _, o := range objs {
			if s, ok := o.(*discoveryv1.EndpointSlice); ok {
				near.Endpoints = append(near.Endpoints, s)
			}
		}
	case *corev1.Node:
		return podsWhere(ctx, client, "", "spec.nodeName="+obj.Name, func(p *corev1.Pod) bool {
			return p.Status.Phase != corev1.PodSucceeded && p.Status.Phase != corev1.PodFailed
		})
	}
	return near, nil
}

func podsWhere(ctx context.Context, client *api.Client, ns schemas.Namespace, fieldSelector string, match func(*corev1.Pod) bool) (Near, error) {
	var near Near
	pods, _, err := client.List(ctx, schemas.Pods, ns, metav1.ListOptions{FieldSelector: fieldSelector})
	if err != nil {
		return near, err
	}
	for _, o := range pods {
		if p, ok := o.(*corev1.Pod); ok && match(p) {
			near.Pods = append(near.Pods, p)
		}
	}
	return near, nil
}

// eventsOf lists what happened to o, oldest first.
func eventsOf(ctx context.Context, client *api.Client, o target.Found) ([]*corev1.Event, error) {
	ns := schemas.Namespace(o.Object.GetNamespace())
	if ns == "" {
		ns = metav1.NamespaceDefault
	}
	selector := fields.AndSelectors(
		fields.OneTermEqualSelector("involvedObject.name", o.Object.GetName()),
		fields.OneTermEqualSelector("involvedObject.kind", o.Kind.Kind),
	)
	objs, _, err := client.List(ctx, schemas.Events, ns, metav1.ListOptions{FieldSelector: selector.String()})
	if err != nil {
		return nil, err
	}
	var events []*corev1.Event
	for _, obj := range objs {
		e, ok := obj.(*corev1.Event)
		if !ok || e.InvolvedObject.UID != "" && o.Kind.Namespaced && e.InvolvedObject.UID != o.Object.GetUID() {
			continue
		}
		events = append(events, e)
	}
	slices.SortStableFunc(events, func(a, b *corev1.Event) int {
		return cmp.Compare(LastSeen(a).UnixNano(), LastSeen(b).UnixNano())
	})
	return events, nil
}

// LastSeen is when the event last happened: old and new clients write different fields.
func LastSeen(e *corev1.Event) metav1.Time {
	switch {
	case e.Series != nil && !e.Series.LastObservedTime.IsZero():
		return metav1.Time{Time: e.Series.LastObservedTime.Time}
	case !e.LastTimestamp.IsZero():
		return e.LastTimestamp
	case !e.EventTime.IsZero():
		return metav1.Time{Time: e.EventTime.Time}
	}
	return e.CreationTimestamp
}
