package allot

import (
	"net/netip"
	"slices"
	"strconv"

	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/schemas"
)

// Held returns the keys that obj holds, sorted; none if it is no service.
func Held(obj schemas.Object) []bus.Key {
	svc, ok := obj.(*v1.Service)
	if !ok || svc == nil {
		return nil
	}
	var keys []bus.Key
	for _, a := range addresses(svc) {
		keys = append(keys, bus.ReservedKey("address", a.String()))
	}
	for _, p := range ports(svc) {
		keys = append(keys, bus.ReservedKey("nodeport", strconv.Itoa(int(p))))
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// Moves returns what a change of old into next takes and what it gives back.
func Moves(old, next schemas.Object) (take, free []bus.Key) {
	had, has := Held(old), Held(next)
	for _, k := range has {
		if !slices.Contains(had, k) {
			take = append(take, k)
		}
	}
	for _, k := range had {
		if !slices.Contains(has, k) {
			free = append(free, k)
		}
	}
	return take, free
}

// addresses are svc's cluster IPs.
func addresses(svc *v1.Service) []netip.Addr {
	if svc.Spec.Type == v1.ServiceTypeExternalName {
		return nil
	}
	var out []netip.Addr
	for _, ip := range svc.Spec.ClusterIPs {
		if a, err := netip.ParseAddr(ip); err == nil {
			out = append(out, a)
		}
	}
	return out
}

// ports are svc's node ports, whatever their protocol: one number is one service's.
func ports(svc *v1.Service) []int32 {
	if svc.Spec.Type != v1.ServiceTypeNodePort && svc.Spec.Type != v1.ServiceTypeLoadBalancer {
		return nil
	}
	var out []int32
	for _, p := range svc.Spec.Ports {
		if p.NodePort != 0 {
			out = append(out, p.NodePort)
		}
	}
	if svc.Spec.HealthCheckNodePort != 0 {
		out = append(out, svc.Spec.HealthCheckNodePort)
	}
	return out
}

// uses is what other services have.
type uses struct {
	addresses map[netip.Addr]bool
	ports     map[int32]bool
}

// used collects what the services in all have, but for the one called like svc.
func used(all []schemas.Object, svc *v1.Service) uses {
	u := uses{addresses: make(map[netip.Addr]bool, len(all)), ports: map[int32]bool{}}
	for _, o := range all {
		other, ok := o.(*v1.Service)
		if !ok || other.Namespace == svc.Namespace && other.Name == svc.Name {
			continue
		}
		for _, a := range addresses(other) {
			u.addresses[a] = true
		}
		for _, p := range ports(other) {
			u.ports[p] = true
		}
	}
	return u
}
