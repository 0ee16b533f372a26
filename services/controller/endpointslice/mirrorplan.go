package endpointslice

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/services/controller/owner"
)

// maxMirrored is how many addresses of a subset are mirrored, all in one slice.
const maxMirrored = 1000

// planMirror makes one slice for each address family and set of ports of e, and counts the addresses that
// were too many.
func planMirror(e *corev1.Endpoints, have []*discoveryv1.EndpointSlice, taken func(string) bool) (p Plan, skipped int) {
	want := map[group]*discoveryv1.EndpointSlice{}
	for i := range e.Subsets {
		skipped += mirrorSubset(e, &e.Subsets[i], want)
	}
	for _, s := range slices.SortedFunc(slices.Values(have), byName) {
		g := group{s.AddressType, portKey(s.Ports)}
		next := want[g]
		if next == nil {
			p.Delete = append(p.Delete, s)
			continue
		}
		delete(want, g) // another one of the kind is one too many
		if equality.Semantic.DeepEqual(s.Labels, next.Labels) && equality.Semantic.DeepEqual(s.Annotations, next.Annotations) && equality.Semantic.DeepEqual(s.Endpoints, next.Endpoints) {
			continue
		}
		c := s.DeepCopy()
		c.Labels, c.Annotations, c.Endpoints = next.Labels, next.Annotations, next.Endpoints
		p.Update = append(p.Update, c)
	}
	n := 0
	order := slices.SortedFunc(maps.Keys(want), func(a, b group) int { return cmp.Or(cmp.Compare(a.family, b.family), cmp.Compare(a.ports, b.ports)) })
	for _, g := range order {
		s := want[g]
		for ; s.Name == "" || taken(s.Name); n++ {
			s.Name = owner.Name(s.GenerateName, e.UID, n)
		}
		p.Create = append(p.Create, s)
	}
	return p, skipped
}

// mirrorSubset adds the addresses of s to the slices that they belong into.
func mirrorSubset(e *corev1.Endpoints, s *corev1.EndpointSubset, want map[group]*discoveryv1.EndpointSlice) (skipped int) {
	ports := []discoveryv1.EndpointPort{}
	for _, p := range s.Ports {
		ports = append(ports, discoveryv1.EndpointPort{Name: new(p.Name), Port: new(p.Port), Protocol: new(p.Protocol), AppProtocol: p.AppProtocol})
	}
	added := 0
	for _, part := range []struct {
		ready     bool
		addresses []corev1.EndpointAddress
	}{{true, s.Addresses}, {false, s.NotReadyAddresses}} {
		for i := range part.addresses {
			if added == maxMirrored {
				return len(s.Addresses) + len(s.NotReadyAddresses) - added
			}
			a := &part.addresses[i]
			ip, err := netip.ParseAddr(a.IP)
			if err != nil {
				continue // refused by validation
			}
			added++
			g := group{discoveryv1.AddressTypeIPv4, portKey(ports)}
			if ip.Is6() && !ip.Is4In6() {
				g.family = discoveryv1.AddressTypeIPv6
			}
			if want[g] == nil {
				want[g] = mirrored(e, g.family, ports)
			}
			addEndpoint(want[g], a, ip.Unmap().String(), part.ready)
		}
	}
	return 0
}

// addEndpoint adds an address, unless another subset had it.
func addEndpoint(s *discoveryv1.EndpointSlice, a *corev1.EndpointAddress, ip string, ready bool) {
	if slices.ContainsFunc(s.Endpoints, func(e discoveryv1.Endpoint) bool { return e.Addresses[0] == ip }) {
		return
	}
	e := discoveryv1.Endpoint{Addresses: []string{ip}, Conditions: discoveryv1.EndpointConditions{Ready: &ready}, TargetRef: a.TargetRef, NodeName: a.NodeName}
	if a.Hostname != "" {
		e.Hostname = &a.Hostname
	}
	s.Endpoints = append(s.Endpoints, e)
}

// mirrored is a new slice of e, with e's labels and annotations.
func mirrored(e *corev1.Endpoints, f discoveryv1.AddressType, ports []discoveryv1.EndpointPort) *discoveryv1.EndpointSlice {
	s := &discoveryv1.EndpointSlice{
		TypeMeta: metav1.TypeMeta{APIVersion: "discovery.k8s.io/v1", Kind: "EndpointSlice"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: e.Namespace, GenerateName: e.Name + "-", Labels: map[string]string{}, Annotations: map[string]string{},
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(e, corev1.SchemeGroupVersion.WithKind("Endpoints"))},
		},
		AddressType: f, Ports: ports,
	}
	maps.Copy(s.Labels, e.Labels)
	s.Labels[discoveryv1.LabelServiceName], s.Labels[discoveryv1.LabelManagedBy] = e.Name, mirroredBy
	maps.Copy(s.Annotations, e.Annotations)
	delete(s.Annotations, corev1.EndpointsLastChangeTriggerTime)
	delete(s.Annotations, corev1.LastAppliedConfigAnnotation)
	return s
}
