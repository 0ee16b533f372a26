package allot

import (
	"errors"
	"fmt"
	"net/netip"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/skerry/skerry/schemas"
)

var (
	errAllocated = errors.New("provided IP is already allocated")
	errPortTaken = errors.New("provided port is already allocated")
	errFull      = errors.New("range is full")
)

// Fill gives svc what it lacks beside the services in all, or says what of it cannot be
// had. old is nil for a new service. The faults are the client's; an error is that a
// range is used up.
func (r Ranges) Fill(svc, old *v1.Service, all []schemas.Object) (field.ErrorList, error) {
	if old != nil {
		keep(svc, old)
	}
	if errs := r.families(svc, old); len(errs) > 0 {
		return errs, nil
	}
	u := used(all, svc)
	if errs, err := r.clusterIPs(svc, old, u); len(errs) > 0 || err != nil {
		return errs, err
	}
	errs, err := r.nodePorts(svc, old, u)
	if len(errs) > 0 || err != nil {
		return errs, err
	}
	if err := r.healthPort(svc, old, u); err != nil {
		return nil, err
	}
	if old != nil {
		drop(svc, old)
	}
	return nil, nil
}

func headless(svc *v1.Service) bool {
	return len(svc.Spec.ClusterIPs) > 0 && svc.Spec.ClusterIPs[0] == v1.ClusterIPNone
}

// clusterIPs gives addresses to a service that needs some.
func (r Ranges) clusterIPs(svc, old *v1.Service, u uses) (field.ErrorList, error) {
	s := &svc.Spec
	if s.Type == v1.ServiceTypeExternalName || headless(svc) {
		return nil, nil
	}
	had := map[netip.Addr]bool{}
	if old != nil {
		for _, a := range addresses(old) {
			had[a] = true
		}
	}
	for i, ip := range s.ClusterIPs {
		a, err := netip.ParseAddr(ip)
		if err != nil || had[a] {
			continue // validation's, or its own already
		}
		why := error(nil)
		switch {
		case !r.usable(a):
			why = fmt.Errorf("the provided IP (%v) is not in the valid range. The range of valid IPs is %s", a, r.Addresses)
		case u.addresses[a]:
			why = errAllocated
		}
		if why != nil {
			return field.ErrorList{field.Invalid(field.NewPath("spec", "clusterIPs"), s.ClusterIPs, fmt.Sprintf("failed to allocate IP %v: %v", s.ClusterIPs[i], why))}, nil
		}
	}
	if len(s.ClusterIPs) > 0 {
		return nil, nil
	}
	n := r.addresses()
	i, ok := pick(n, spare(n, 16, 256), func(i int) bool {
		a := r.address(i)
		return a == r.First() || u.addresses[a]
	})
	if !ok {
		return nil, apierrors.NewInternalError(fmt.Errorf("failed to allocate a serviceIP for Service %q: %w", svc.Name, errFull))
	}
	s.ClusterIP = r.address(i).String()
	s.ClusterIPs = []string{s.ClusterIP}
	return nil, nil
}

// nodePorts gives ports to a service that needs some. In a new service ports of one
// number and several protocols share one.
func (r Ranges) nodePorts(svc, old *v1.Service, u uses) (field.ErrorList, error) {
	s := &svc.Spec
	if s.Type != v1.ServiceTypeNodePort && s.Type != v1.ServiceTypeLoadBalancer {
		return nil, nil
	}
	had := map[int32]bool{}
	if old != nil {
		for _, p := range ports(old) {
			had[p] = true
		}
	}
	of := map[int32]int32{} // by the service's own port
	for i := range s.Ports {
		n := s.Ports[i].NodePort
		if n == 0 {
			continue
		}
		if why := r.portError(n, u); why != nil && !had[n] {
			return field.ErrorList{field.Invalid(field.NewPath("spec", "ports").Index(i).Child("nodePort"), n, why.Error())}, nil
		}
		if _, first := of[s.Ports[i].Port]; !first && old == nil {
			of[s.Ports[i].Port] = n
		}
	}
	if s.Type == v1.ServiceTypeLoadBalancer && s.AllocateLoadBalancerNodePorts != nil && !*s.AllocateLoadBalancerNodePorts {
		return nil, nil
	}
	for _, p := range s.Ports {
		u.ports[p.NodePort] = true
	}
	for i := range s.Ports {
		p := &s.Ports[i]
		if p.NodePort != 0 {
			continue
		}
		if p.NodePort = of[p.Port]; p.NodePort != 0 {
			continue
		}
		n, ok := r.freePort(u)
		if !ok {
			return nil, apierrors.NewInternalError(fmt.Errorf("failed to allocate a nodePort: %w", errFull))
		}
		p.NodePort, u.ports[n] = n, true
		if old == nil {
			of[p.Port] = n
		}
	}
	return nil, nil
}

// portError is why a service cannot have the node port n that it asks for.
func (r Ranges) portError(n int32, u uses) error {
	switch {
	case n < r.FirstPort || n > r.LastPort:
		return fmt.Errorf("provided port is not in the valid range. The range of valid ports is %d-%d", r.FirstPort, r.LastPort)
	case u.ports[n]:
		return errPortTaken
	}
	return nil
}

func (r Ranges) freePort(u uses) (int32, bool) {
	n := int(r.LastPort-r.FirstPort) + 1
	i, ok := pick(n, spare(n, 32, 128), func(i int) bool { return u.ports[r.FirstPort+int32(i)] })
	return r.FirstPort + int32(i), ok
}

// healthPort gives a port to a load balancer's checks of which nodes have endpoints.
func (r Ranges) healthPort(svc, old *v1.Service, u uses) error {
	s := &svc.Spec
	if !healthChecked(s) || old != nil && healthChecked(&old.Spec) {
		return nil
	}
	for _, p := range s.Ports {
		u.ports[p.NodePort] = true
	}
	if n := s.HealthCheckNodePort; n != 0 {
		if why := r.portError(n, u); why != nil {
			return apierrors.NewInternalError(fmt.Errorf("failed to allocate requested HealthCheck NodePort %v: %w", n, why))
		}
		return nil
	}
	n, ok := r.freePort(u)
	if !ok {
		return apierrors.NewInternalError(fmt.Errorf("failed to allocate a HealthCheck NodePort %v: %w", n, errFull))
	}
	s.HealthCheckNodePort = n
	return nil
}
