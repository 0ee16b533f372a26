package defaults

import (
	v1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/skerry/skerry/schemas"
)

// Service fills in the type, ports, affinity and policies, and clusterIPs from clusterIP.
// Addresses and node ports are the apiserver's to give.
func Service(obj schemas.Object) {
	svc, ok := obj.(*v1.Service)
	if !ok {
		return
	}
	s := &svc.Spec
	setIfZero(&s.Type, v1.ServiceTypeClusterIP)
	affinity(s)
	for i := range s.Ports {
		p := &s.Ports[i]
		setIfZero(&p.Protocol, v1.ProtocolTCP)
		if p.TargetPort == intstr.FromInt32(0) || p.TargetPort == intstr.FromString("") {
			p.TargetPort = intstr.FromInt32(p.Port)
		}
	}
	if s.ClusterIP != "" && len(s.ClusterIPs) == 0 {
		s.ClusterIPs = []string{s.ClusterIP}
	}
	if External(svc) {
		setIfZero(&s.ExternalTrafficPolicy, v1.ServiceExternalTrafficPolicyCluster)
	}
	switch s.Type {
	case v1.ServiceTypeLoadBalancer:
		setIfNil(&s.AllocateLoadBalancerNodePorts, true)
		setIfNil(&s.InternalTrafficPolicy, v1.ServiceInternalTrafficPolicyCluster)
		for i := range svc.Status.LoadBalancer.Ingress {
			if in := &svc.Status.LoadBalancer.Ingress[i]; in.IP != "" {
				setIfNil(&in.IPMode, v1.LoadBalancerIPModeVIP)
			}
		}
	case v1.ServiceTypeClusterIP, v1.ServiceTypeNodePort:
		setIfNil(&s.InternalTrafficPolicy, v1.ServiceInternalTrafficPolicyCluster)
	}
}

func affinity(s *v1.ServiceSpec) {
	setIfZero(&s.SessionAffinity, v1.ServiceAffinityNone)
	switch c := s.SessionAffinityConfig; s.SessionAffinity {
	case v1.ServiceAffinityNone:
		s.SessionAffinityConfig = nil
	case v1.ServiceAffinityClientIP:
		if c == nil || c.ClientIP == nil || c.ClientIP.TimeoutSeconds == nil {
			s.SessionAffinityConfig = &v1.SessionAffinityConfig{ClientIP: &v1.ClientIPConfig{TimeoutSeconds: new(v1.DefaultClientIPServiceAffinitySeconds)}}
		}
	}
}

// External tells whether a service is meant to be reached from outside of the cluster.
func External(svc *v1.Service) bool {
	return svc.Spec.Type == v1.ServiceTypeLoadBalancer || svc.Spec.Type == v1.ServiceTypeNodePort ||
		svc.Spec.Type == v1.ServiceTypeClusterIP && len(svc.Spec.ExternalIPs) > 0
}

// Endpoints makes ports TCP.
func Endpoints(obj schemas.Object) {
	e, ok := obj.(*v1.Endpoints)
	if !ok {
		return
	}
	for i := range e.Subsets {
		for j := range e.Subsets[i].Ports {
			setIfZero(&e.Subsets[i].Ports[j].Protocol, v1.ProtocolTCP)
		}
	}
}

// EndpointSlice makes ports TCP and nameless.
func EndpointSlice(obj schemas.Object) {
	e, ok := obj.(*discoveryv1.EndpointSlice)
	if !ok {
		return
	}
	for i := range e.Ports {
		setIfNil(&e.Ports[i].Name, "")
		setIfNil(&e.Ports[i].Protocol, v1.ProtocolTCP)
	}
}
