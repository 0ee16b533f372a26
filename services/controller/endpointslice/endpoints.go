package endpointslice

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/schemas"
)

const (
	// maxAddresses is how many an Endpoints object holds; of more it has some.
	maxAddresses = 1000
	truncated    = "truncated"
	// endpointsManager is who Kubernetes names as the keeper of Endpoints.
	endpointsLabel, endpointsManager = "endpoints.kubernetes.io/managed-by", "endpoint-controller"
)

func (k *Controller) endpoints(key schemas.Ref) *corev1.Endpoints {
	o, _ := k.c.View.Get(schemas.Ref{Resource: schemas.Endpoints, Namespace: key.Namespace, Name: key.Name})
	e, _ := o.(*corev1.Endpoints) // nil if there are none
	return e
}

// removeEndpoints removes the Endpoints of a service that is gone, if they are this controller's.
func (k *Controller) removeEndpoints(ctx context.Context, key schemas.Ref) error {
	e := k.endpoints(key)
	if e == nil || e.Labels[endpointsLabel] != endpointsManager {
		return nil
	}
	uid := e.UID
	err := k.c.API.Delete(ctx, schemas.RefOf(schemas.Endpoints, e), metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}})
	return done("delete endpoints "+e.Name, err)
}

func (k *Controller) applyEndpoints(ctx context.Context, e *corev1.Endpoints) error {
	if e == nil {
		return nil
	}
	var err error
	if e.ResourceVersion == "" {
		_, err = k.c.API.Create(ctx, schemas.Endpoints, e)
	} else {
		_, err = k.c.API.Update(ctx, schemas.Endpoints, e, "")
	}
	if apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("create endpoints %s: %w", e.Name, err)
	}
	return done("write endpoints "+e.Name, err)
}

// planEndpoints returns svc's Endpoints as they have to be, nil if now is that: the older form
// of its slices, which many programs still read.
func planEndpoints(svc *corev1.Service, pods []*corev1.Pod, now *corev1.Endpoints) *corev1.Endpoints {
	next := &corev1.Endpoints{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Endpoints"}, ObjectMeta: metav1.ObjectMeta{Namespace: svc.Namespace, Name: svc.Name}}
	if now != nil {
		next = now.DeepCopy()
	}
	next.Labels = maps.Clone(svc.Labels)
	if next.Labels == nil {
		next.Labels = map[string]string{}
	}
	delete(next.Labels, corev1.IsHeadlessService)
	if headless(svc) {
		next.Labels[corev1.IsHeadlessService] = ""
	}
	next.Labels[endpointsLabel] = endpointsManager
	next.Subsets = subsets(svc, pods)
	if truncate(next.Subsets) {
		metav1.SetMetaDataAnnotation(&next.ObjectMeta, corev1.EndpointsOverCapacity, truncated)
	} else {
		delete(next.Annotations, corev1.EndpointsOverCapacity)
	}
	if now != nil && equality.Semantic.DeepEqual(now, next) {
		return nil
	}
	return next
}

// address is a pod's, and whether it is to be used.
type address struct {
	corev1.EndpointAddress
	ready bool
}

// subsets groups the addresses of pods by the ports that they have: ports with the same
// addresses are one subset's.
func subsets(svc *corev1.Service, pods []*corev1.Pod) []corev1.EndpointSubset {
	pods = slices.SortedFunc(slices.Values(pods), func(a, b *corev1.Pod) int { return strings.Compare(a.Name, b.Name) })
	at := map[corev1.EndpointPort][]address{}
	for _, p := range pods {
		a, ok := legacyAddress(svc, p)
		if !ok {
			continue
		}
		if len(svc.Spec.Ports) == 0 && headless(svc) {
			at[corev1.EndpointPort{}] = append(at[corev1.EndpointPort{}], a)
		}
		for i := range svc.Spec.Ports {
			sp := &svc.Spec.Ports[i]
			if n, ok := targetPort(sp, p); ok {
				port := corev1.EndpointPort{Name: sp.Name, Port: n, Protocol: sp.Protocol, AppProtocol: sp.AppProtocol}
				at[port] = append(at[port], a)
			}
		}
	}
	var out []corev1.EndpointSubset
	of := map[string]int{}
	ports := slices.SortedFunc(maps.Keys(at), func(a, b corev1.EndpointPort) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), cmp.Compare(a.Port, b.Port), strings.Compare(string(a.Protocol), string(b.Protocol)))
	})
	for _, port := range ports {
		key := addressKey(at[port])
		i, ok := of[key]
		if !ok {
			i, of[key] = len(out), len(out)
			out = append(out, subset(at[port]))
		}
		if port.Port != 0 {
			out[i].Ports = append(out[i].Ports, port)
		}
	}
	return out
}

func legacyAddress(svc *corev1.Service, p *corev1.Pod) (address, bool) {
	ips := addressesOf(p, families(svc)[0])
	if ended(p) || len(ips) == 0 || p.DeletionTimestamp != nil && !svc.Spec.PublishNotReadyAddresses {
		return address{}, false
	}
	a := corev1.EndpointAddress{IP: ips[0], NodeName: new(p.Spec.NodeName), TargetRef: &corev1.ObjectReference{Kind: "Pod", Namespace: p.Namespace, Name: p.Name, UID: p.UID}}
	if named(svc, p) {
		a.Hostname = p.Spec.Hostname
	}
	return address{a, svc.Spec.PublishNotReadyAddresses || ready(p)}, true
}

func addressKey(all []address) string {
	var b strings.Builder
	for _, a := range all {
		b.WriteString(string(a.TargetRef.UID))
		b.WriteByte(' ')
	}
	return b.String()
}

func subset(all []address) (s corev1.EndpointSubset) {
	for _, a := range all {
		if a.ready {
			s.Addresses = append(s.Addresses, a.EndpointAddress)
		} else {
			s.NotReadyAddresses = append(s.NotReadyAddresses, a.EndpointAddress)
		}
	}
	byIP := func(a, b corev1.EndpointAddress) int { return strings.Compare(a.IP, b.IP) }
	slices.SortFunc(s.Addresses, byIP)
	slices.SortFunc(s.NotReadyAddresses, byIP)
	return s
}

// truncate cuts subsets down to what Endpoints hold, in proportion, ready addresses last; it
// tells whether it had to.
func truncate(all []corev1.EndpointSubset) bool {
	ready, not := 0, 0
	for i := range all {
		ready += len(all[i].Addresses)
		not += len(all[i].NotReadyAddresses)
	}
	if ready+not <= maxAddresses {
		return false
	}
	total, room := not, maxAddresses-ready
	if ready > maxAddresses {
		total, room = ready, maxAddresses
	}
	left := room
	for i := range all {
		list := &all[i].NotReadyAddresses
		if ready > maxAddresses {
			all[i].NotReadyAddresses = nil
			list = &all[i].Addresses
		}
		n := min(int(math.Ceil(float64(len(*list))/float64(total)*float64(room))), left, len(*list))
		*list = (*list)[:n]
		left -= n
	}
	return true
}
