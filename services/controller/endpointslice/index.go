package endpointslice

import (
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/skerry/skerry/bus/view"
	"github.com/skerry/skerry/schemas"
)

// index knows the selectors of all services, so that a pod's change is compared with those of its
// namespace and nothing else is read. Safe for concurrent use.
type index struct {
	mu       sync.Mutex
	services map[schemas.Namespace]map[schemas.Name]selecting
}

// selecting is a service's selector, and how many pods it selected last.
type selecting struct {
	selector labels.Selector
	pods     int
}

// note takes in a change of a service.
func (x *index) note(ch view.Change) {
	x.mu.Lock()
	defer x.mu.Unlock()
	svc, ok := ch.Object.(*corev1.Service)
	if !ok || ch.Type == view.Deleted || !managed(svc) {
		delete(x.services[ch.Ref.Namespace], ch.Ref.Name)
		if len(x.services[ch.Ref.Namespace]) == 0 {
			delete(x.services, ch.Ref.Namespace)
		}
		return
	}
	in := x.services[ch.Ref.Namespace]
	if in == nil {
		in = map[schemas.Name]selecting{}
		x.services[ch.Ref.Namespace] = in
	}
	in[ch.Ref.Name] = selecting{labels.SelectorFromSet(svc.Spec.Selector), in[ch.Ref.Name].pods}
}

// selecting returns the services that select one of pods, which are of one namespace.
func (x *index) selecting(ns schemas.Namespace, pods ...*corev1.Pod) (keys []schemas.Ref) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for name, s := range x.services[ns] {
		if slices.ContainsFunc(pods, func(p *corev1.Pod) bool { return p != nil && s.selector.Matches(labels.Set(p.Labels)) }) {
			keys = append(keys, schemas.Ref{Resource: schemas.Services, Namespace: ns, Name: name})
		}
	}
	return keys
}

func (x *index) size(key schemas.Ref, n int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if s, ok := x.services[key.Namespace][key.Name]; ok {
		s.pods = n
		x.services[key.Namespace][key.Name] = s
	}
}

func (x *index) pods(key schemas.Ref) int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.services[key.Namespace][key.Name].pods
}

// Keys returns the services that a change concerns.
func (k *Controller) Keys(ch view.Change) []schemas.Ref {
	switch ch.Ref.Resource {
	case schemas.Services:
		k.index.note(ch)
		return []schemas.Ref{ch.Ref}
	case schemas.Pods:
		now, _ := ch.Object.(*corev1.Pod)
		was, _ := ch.Old.(*corev1.Pod)
		if ch.Type == view.Modified && was != nil && now != nil && alike(was, now) {
			return nil
		}
		return k.index.selecting(ch.Ref.Namespace, now, was)
	case schemas.Nodes:
		return k.onNode(ch)
	case schemas.Endpoints:
		return []schemas.Ref{{Resource: schemas.Services, Namespace: ch.Ref.Namespace, Name: ch.Ref.Name}}
	case schemas.EndpointSlices:
		return kept(ch, managedBy, schemas.Services)
	}
	return nil
}

// alike tells whether endpoints show no difference between two states of a pod.
func alike(a, b *corev1.Pod) bool {
	return ready(a) == ready(b) && ended(a) == ended(b) && a.UID == b.UID && a.Spec.NodeName == b.Spec.NodeName &&
		(a.DeletionTimestamp == nil) == (b.DeletionTimestamp == nil) && slices.Equal(a.Status.PodIPs, b.Status.PodIPs) &&
		equality.Semantic.DeepEqual(a.Labels, b.Labels)
}

// onNode returns the services with pods on a node that came, went or changed its zone.
func (k *Controller) onNode(ch view.Change) (keys []schemas.Ref) {
	if ch.Type == view.Modified && ch.Old != nil && ch.Old.GetLabels()[corev1.LabelTopologyZone] == ch.Object.GetLabels()[corev1.LabelTopologyZone] {
		return nil
	}
	seen := map[schemas.Ref]bool{}
	for _, o := range k.c.View.PodsOn(schemas.NodeName(ch.Ref.Name)) {
		p, ok := o.(*corev1.Pod)
		if !ok {
			continue
		}
		for _, key := range k.index.selecting(schemas.Namespace(p.Namespace), p) {
			if !seen[key] {
				seen[key] = true
				keys = append(keys, key)
			}
		}
	}
	return keys
}

// kept returns what a slice is made of, objects of r, if manager keeps the slice, or did before somebody changed that.
func kept(ch view.Change, manager string, r schemas.Resource) (keys []schemas.Ref) {
	for _, o := range []schemas.Object{ch.Object, ch.Old} {
		s, ok := o.(*discoveryv1.EndpointSlice)
		if !ok || s.Labels[discoveryv1.LabelManagedBy] != manager {
			continue
		}
		key := schemas.Ref{Resource: r, Namespace: ch.Ref.Namespace, Name: schemas.Name(s.Labels[discoveryv1.LabelServiceName])}
		if key.Name != "" && !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys
}
