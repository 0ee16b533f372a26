package validate

import (
	"fmt"
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metavalidation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/skerry/skerry/schemas"
)

// Service checks a new Service.
func Service(obj schemas.Object) field.ErrorList {
	return create(obj, func(s *v1.Service) field.ErrorList {
		return slices.Concat(namespaced(s, apivalidation.NameIsDNSLabel), service(s, nil))
	})
}

// ServiceUpdate checks obj as the next state of old.
func ServiceUpdate(obj, old schemas.Object) field.ErrorList {
	return update(obj, old, func(s, old *v1.Service) field.ErrorList {
		return slices.Concat(
			metaUpdate(s, old), clusterIPsUpdate(s, old), ipFamiliesUpdate(s, old), loadBalancerUpdate(s, old), service(s, old),
		)
	})
}

// ServiceStatus checks obj as old with another status.
func ServiceStatus(obj, old schemas.Object) field.ErrorList { return update(obj, old, balancerStatus) }

// service checks what holds for every service; old is nil for a new one.
func service(svc, old *v1.Service) field.ErrorList {
	s, p := &svc.Spec, specPath()
	return slices.Concat(
		topologyAnnotations(svc),
		when(len(s.Ports) == 0 && !headless(svc) && s.Type != v1.ServiceTypeExternalName, field.Required(p.Child("ports"), mustBeSet)),
		serviceType(svc),
		servicePorts(svc),
		metavalidation.ValidateLabels(s.Selector, p.Child("selector")),
		sessionAffinity(s),
		ClusterIPs(svc, old),
		externalIPs(svc, old),
		sourceRanges(svc, old),
		loadBalancer(s),
		trafficPolicies(svc),
	)
}

func headless(svc *v1.Service) bool {
	return len(svc.Spec.ClusterIPs) == 1 && svc.Spec.ClusterIPs[0] == v1.ClusterIPNone
}

func topologyAnnotations(svc *v1.Service) field.ErrorList {
	hints, hinted := svc.Annotations[v1.DeprecatedAnnotationTopologyAwareHints]
	mode, set := svc.Annotations[v1.AnnotationTopologyMode]
	return when(set && hinted && mode != hints, field.Invalid(metaPath().Child("annotations").Key(v1.AnnotationTopologyMode), mode,
		fmt.Sprintf("must match annotations[%s] when both are specified", v1.DeprecatedAnnotationTopologyAwareHints)))
}

// serviceType checks the type and what it excludes.
func serviceType(svc *v1.Service) field.ErrorList {
	s, p := &svc.Spec, specPath()
	errs := oneOf(p.Child("type"), s.Type, v1.ServiceTypeClusterIP, v1.ServiceTypeExternalName, v1.ServiceTypeLoadBalancer, v1.ServiceTypeNodePort)
	switch s.Type {
	case v1.ServiceTypeLoadBalancer, v1.ServiceTypeNodePort:
		if headless(svc) {
			errs = append(errs, field.Invalid(p.Child("clusterIPs").Index(0), s.ClusterIPs[0], fmt.Sprintf("may not be set to 'None' for %s services", s.Type)))
		}
	case v1.ServiceTypeExternalName:
		const taboo = "may not be set for ExternalName services"
		errs = extend(errs,
			when(len(s.ClusterIPs) > 0, field.Forbidden(p.Child("clusterIPs"), taboo)),
			when(len(s.IPFamilies) > 0, field.Forbidden(p.Child("ipFamilies"), taboo)),
			when(s.IPFamilyPolicy != nil, field.Forbidden(p.Child("ipFamilyPolicy"), taboo)),
			required(p.Child("externalName"), strings.TrimSuffix(s.ExternalName, "."), subdomain),
		)
	}
	return errs
}

// portKey is what may be there once.
type portKey struct {
	protocol v1.Protocol
	number   int32
}

func servicePorts(svc *v1.Service) field.ErrorList {
	var errs field.ErrorList
	names, ports, nodePorts := map[string]bool{}, map[portKey]bool{}, map[portKey]bool{}
	for i := range svc.Spec.Ports {
		port, p := &svc.Spec.Ports[i], specPath().Child("ports").Index(i)
		errs = append(errs, servicePort(port, p, len(svc.Spec.Ports) > 1)...)
		errs = append(errs, when(port.Name != "" && names[port.Name], field.Duplicate(p.Child("name"), port.Name))...)
		names[port.Name] = true
		key := portKey{port.Protocol, port.Port}
		errs = append(errs, when(ports[key], field.Duplicate(p, v1.ServicePort{Protocol: port.Protocol, Port: port.Port}))...)
		ports[key] = true
		if port.NodePort == 0 {
			continue
		}
		errs = append(errs, when(svc.Spec.Type == v1.ServiceTypeClusterIP, field.Forbidden(p.Child("nodePort"), "may not be used when `type` is 'ClusterIP'"))...)
		key = portKey{port.Protocol, port.NodePort}
		errs = append(errs, when(nodePorts[key], field.Duplicate(p.Child("nodePort"), port.NodePort))...)
		nodePorts[key] = true
	}
	return errs
}

func servicePort(port *v1.ServicePort, p *field.Path, named bool) field.ErrorList {
	errs := when(named && port.Name == "", field.Required(p.Child("name"), mustBeSet))
	errs = extend(errs,
		optional(p.Child("name"), port.Name, label),
		faults(p.Child("port"), port.Port, validation.IsValidPortNum(int(port.Port))),
		protocol(p.Child("protocol"), port.Protocol),
		portOrName(p.Child("targetPort"), port.TargetPort),
	)
	if port.AppProtocol != nil {
		errs = append(errs, qualified(p.Child("appProtocol"), *port.AppProtocol)...)
	}
	return errs
}

func protocol(p *field.Path, value v1.Protocol) field.ErrorList {
	return oneOf(p, value, v1.ProtocolSCTP, v1.ProtocolTCP, v1.ProtocolUDP)
}

func sessionAffinity(s *v1.ServiceSpec) field.ErrorList {
	p, c := specPath().Child("sessionAffinityConfig"), s.SessionAffinityConfig
	errs := oneOf(specPath().Child("sessionAffinity"), s.SessionAffinity, v1.ServiceAffinityClientIP, v1.ServiceAffinityNone)
	if s.SessionAffinity == v1.ServiceAffinityNone {
		return append(errs, when(c != nil, field.Forbidden(p, "must not be set when session affinity is None"))...)
	}
	if s.SessionAffinity != v1.ServiceAffinityClientIP {
		return errs
	}
	const why = "when session affinity type is ClientIP"
	switch {
	case c == nil:
		return append(errs, field.Required(p, why))
	case c.ClientIP == nil:
		return append(errs, field.Required(p.Child("clientIP"), why))
	case c.ClientIP.TimeoutSeconds == nil:
		return append(errs, field.Required(p.Child("clientIP", "timeoutSeconds"), why))
	}
	t := *c.ClientIP.TimeoutSeconds
	return append(errs, when(t <= 0 || t > maxAffinitySeconds,
		field.Invalid(p.Child("clientIP", "timeoutSeconds"), t, fmt.Sprintf("must be greater than 0 and less than %d", maxAffinitySeconds)))...)
}

// maxAffinitySeconds is a day.
const maxAffinitySeconds = 86400
