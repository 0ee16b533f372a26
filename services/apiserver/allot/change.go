package allot

import (
	"slices"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/skerry/skerry/schemas/defaults"
)

// keep restores what svc was given earlier and does not name: a client that sends its
// manifest again says nothing of addresses and ports.
func keep(svc, old *v1.Service) {
	now, was := &svc.Spec, &old.Spec
	if now.Type != v1.ServiceTypeExternalName && was.Type != v1.ServiceTypeExternalName {
		switch {
		case now.ClusterIP == "":
			now.ClusterIP = was.ClusterIP
			if len(now.ClusterIPs) == 0 {
				now.ClusterIPs = slices.Clone(was.ClusterIPs)
			}
		case now.ClusterIP != was.ClusterIP && slices.Equal(now.ClusterIPs, was.ClusterIPs):
			now.ClusterIPs = []string{now.ClusterIP} // an old client, which knows the one field
		}
	}
	if numbered(now) && numbered(was) {
		keepPorts(now, was)
	}
	if healthChecked(now) && healthChecked(was) && now.HealthCheckNodePort == 0 {
		now.HealthCheckNodePort = was.HealthCheckNodePort
	}
}

// keepPorts gives each port without a node port the one that a port of its name had,
// unless another has it now.
func keepPorts(now, was *v1.ServiceSpec) {
	of, inUse := map[string]int32{}, map[int32]bool{}
	for _, p := range was.Ports {
		of[p.Name] = p.NodePort
	}
	for _, p := range now.Ports {
		inUse[p.NodePort] = true
	}
	for i := range now.Ports {
		if p := &now.Ports[i]; p.NodePort == 0 && !inUse[of[p.Name]] {
			p.NodePort = of[p.Name]
		}
	}
}

// numbered tells whether a service's ports get node ports.
func numbered(s *v1.ServiceSpec) bool {
	return s.Type == v1.ServiceTypeNodePort || s.Type == v1.ServiceTypeLoadBalancer &&
		(s.AllocateLoadBalancerNodePorts == nil || *s.AllocateLoadBalancerNodePorts)
}

func healthChecked(s *v1.ServiceSpec) bool {
	return s.Type == v1.ServiceTypeLoadBalancer && s.ExternalTrafficPolicy == v1.ServiceExternalTrafficPolicyLocal
}

// drop clears what svc's new type has no use for, if it is as it was: what a client
// changed it must mean, and validation tells it that it cannot.
func drop(svc, old *v1.Service) {
	now, was := &svc.Spec, &old.Spec
	if was.Type != v1.ServiceTypeExternalName && now.Type == v1.ServiceTypeExternalName {
		if now.ClusterIP == was.ClusterIP && slices.Equal(now.ClusterIPs, was.ClusterIPs) {
			now.ClusterIP, now.ClusterIPs = "", nil
		}
		if slices.Equal(now.IPFamilies, was.IPFamilies) {
			now.IPFamilies = nil
		}
		dropSame(&now.IPFamilyPolicy, was.IPFamilyPolicy)
	}
	if opened(was) && !opened(now) && samePorts(now, was) {
		for i := range now.Ports {
			now.Ports[i].NodePort = 0
		}
	}
	if healthChecked(was) && !healthChecked(now) && now.HealthCheckNodePort == was.HealthCheckNodePort {
		now.HealthCheckNodePort = 0
	}
	if was.Type == v1.ServiceTypeLoadBalancer && now.Type != v1.ServiceTypeLoadBalancer {
		dropSame(&now.AllocateLoadBalancerNodePorts, was.AllocateLoadBalancerNodePorts)
		dropSame(&now.LoadBalancerClass, was.LoadBalancerClass)
	}
	if defaults.External(old) && !defaults.External(svc) && now.ExternalTrafficPolicy == was.ExternalTrafficPolicy {
		now.ExternalTrafficPolicy = ""
	}
	if now.Type != v1.ServiceTypeLoadBalancer {
		svc.Status.LoadBalancer = v1.LoadBalancerStatus{}
	}
}

// dropSame clears *p if it is what it was.
func dropSame[T any](p **T, was *T) {
	if equality.Semantic.DeepEqual(*p, was) {
		*p = nil
	}
}

// opened tells whether a service can have node ports.
func opened(s *v1.ServiceSpec) bool {
	return s.Type == v1.ServiceTypeNodePort || s.Type == v1.ServiceTypeLoadBalancer
}

// samePorts tells whether now has no node port that was has not.
func samePorts(now, was *v1.ServiceSpec) bool {
	for _, p := range now.Ports {
		if p.NodePort != 0 && !slices.ContainsFunc(was.Ports, func(o v1.ServicePort) bool { return o.NodePort == p.NodePort }) {
			return false
		}
	}
	return true
}
