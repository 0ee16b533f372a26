package endpointslice

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// member is a pod as an endpoint, of one address family.
type member struct {
	endpoint discoveryv1.Endpoint
	family   discoveryv1.AddressType
	ports    []discoveryv1.EndpointPort
}

// members makes endpoints of svc's pods, sorted by name. A pod whose node is not there is
// left out, unless its not being ready does not matter either.
func members(svc *corev1.Service, pods []*corev1.Pod, zone func(node string) (string, bool)) (out []member) {
	pods = slices.SortedFunc(slices.Values(pods), func(a, b *corev1.Pod) int { return strings.Compare(a.Name, b.Name) })
	for _, p := range pods {
		if ended(p) {
			continue
		}
		z, known := zone(p.Spec.NodeName)
		if !known && !svc.Spec.PublishNotReadyAddresses {
			continue
		}
		ports := portsOf(svc, p)
		for _, f := range families(svc) {
			if addresses := addressesOf(p, f); len(addresses) > 0 {
				out = append(out, member{endpointOf(svc, p, addresses, z), f, ports})
			}
		}
	}
	return out
}

func families(svc *corev1.Service) (out []discoveryv1.AddressType) {
	for _, f := range svc.Spec.IPFamilies {
		out = append(out, discoveryv1.AddressType(f))
	}
	if len(out) == 0 {
		out = append(out, discoveryv1.AddressTypeIPv4)
	}
	return out
}

func addressesOf(p *corev1.Pod, f discoveryv1.AddressType) (out []string) {
	for _, ip := range p.Status.PodIPs {
		if a, err := netip.ParseAddr(ip.IP); err == nil && a.Unmap().Is4() == (f == discoveryv1.AddressTypeIPv4) {
			out = append(out, a.Unmap().String())
		}
	}
	return out
}

func endpointOf(svc *corev1.Service, p *corev1.Pod, addresses []string, zone string) discoveryv1.Endpoint {
	serving, terminating := ready(p), p.DeletionTimestamp != nil
	e := discoveryv1.Endpoint{
		Addresses: addresses,
		Conditions: discoveryv1.EndpointConditions{
			Ready:   new(svc.Spec.PublishNotReadyAddresses || serving && !terminating),
			Serving: &serving, Terminating: &terminating,
		},
		TargetRef: &corev1.ObjectReference{Kind: "Pod", Namespace: p.Namespace, Name: p.Name, UID: p.UID},
	}
	if p.Spec.NodeName != "" {
		e.NodeName = new(p.Spec.NodeName)
	}
	if zone != "" {
		e.Zone = &zone
	}
	if named(svc, p) {
		e.Hostname = new(p.Spec.Hostname)
	}
	hint(svc, &e)
	return e
}

// hint says which clients a ready endpoint is meant for first.
func hint(svc *corev1.Service, e *discoveryv1.Endpoint) {
	if svc.Spec.TrafficDistribution == nil || !*e.Conditions.Ready {
		return
	}
	var h discoveryv1.EndpointHints
	if e.Zone != nil {
		h.ForZones = []discoveryv1.ForZone{{Name: *e.Zone}}
	}
	if *svc.Spec.TrafficDistribution == corev1.ServiceTrafficDistributionPreferSameNode && e.NodeName != nil {
		h.ForNodes = []discoveryv1.ForNode{{Name: *e.NodeName}}
	}
	if len(h.ForZones)+len(h.ForNodes) > 0 {
		e.Hints = &h
	}
}

// named tells whether p has a name of its own below svc's.
func named(svc *corev1.Service, p *corev1.Pod) bool {
	return p.Spec.Hostname != "" && p.Spec.Subdomain == svc.Name
}

func ready(p *corev1.Pod) bool {
	for i := range p.Status.Conditions {
		if c := &p.Status.Conditions[i]; c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

func ended(p *corev1.Pod) bool {
	return p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
}

// portsOf are svc's ports as p has them, those left out that it has not. Not nil, so that
// a slice says none rather than all.
func portsOf(svc *corev1.Service, p *corev1.Pod) []discoveryv1.EndpointPort {
	out := []discoveryv1.EndpointPort{}
	for i := range svc.Spec.Ports {
		sp := &svc.Spec.Ports[i]
		if n, ok := targetPort(sp, p); ok {
			out = append(out, discoveryv1.EndpointPort{Name: &sp.Name, Port: &n, Protocol: &sp.Protocol, AppProtocol: sp.AppProtocol})
		}
	}
	return out
}

// targetPort is the number of the port in p that sp means.
func targetPort(sp *corev1.ServicePort, p *corev1.Pod) (int32, bool) {
	if sp.TargetPort.Type == intstr.Int {
		return sp.TargetPort.IntVal, true
	}
	find := func(c *corev1.Container) (int32, bool) {
		for _, port := range c.Ports {
			if port.Name == sp.TargetPort.StrVal && port.Protocol == sp.Protocol {
				return port.ContainerPort, true
			}
		}
		return 0, false
	}
	for i := range p.Spec.Containers {
		if n, ok := find(&p.Spec.Containers[i]); ok {
			return n, true
		}
	}
	for i := range p.Spec.InitContainers {
		c := &p.Spec.InitContainers[i]
		if sidecar := c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways; !sidecar {
			continue
		}
		if n, ok := find(c); ok {
			return n, true
		}
	}
	return 0, false
}

// portKey is the same for the same ports in any order.
func portKey(ports []discoveryv1.EndpointPort) string {
	keys := make([]string, len(ports))
	for i, p := range ports {
		keys[i] = deref(p.Name) + "/" + string(deref(p.Protocol)) + "/" + strconv.Itoa(int(deref(p.Port))) + "/" + deref(p.AppProtocol)
	}
	slices.Sort(keys)
	return strings.Join(keys, ",")
}

// equal compares endpoints of one pod. It is asked of all in a service at each change, where
// reflection would be most of the time.
func equal(a, b *discoveryv1.Endpoint) bool {
	return slices.Equal(a.Addresses, b.Addresses) && *a.TargetRef == *b.TargetRef &&
		same(a.Conditions.Ready, b.Conditions.Ready) && same(a.Conditions.Serving, b.Conditions.Serving) && same(a.Conditions.Terminating, b.Conditions.Terminating) &&
		same(a.NodeName, b.NodeName) && same(a.Zone, b.Zone) && same(a.Hostname, b.Hostname) && len(a.DeprecatedTopology) == len(b.DeprecatedTopology) &&
		(a.Hints == nil && b.Hints == nil || equality.Semantic.DeepEqual(a.Hints, b.Hints))
}

func same[T comparable](a, b *T) bool { return a == b || a != nil && b != nil && *a == *b }

func deref[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// byName sorts slices.
func byName(a, b *discoveryv1.EndpointSlice) int { return cmp.Compare(a.Name, b.Name) }
