package validate

import (
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	netutils "k8s.io/utils/net"

	"github.com/skerry/skerry/schemas/defaults"
)

const onlyBalanced = "may only be used when `type` is 'LoadBalancer'"

// loadBalancer checks the fields that only a LoadBalancer has.
func loadBalancer(s *v1.ServiceSpec) field.ErrorList {
	p, balanced := specPath(), s.Type == v1.ServiceTypeLoadBalancer
	errs := when(s.AllocateLoadBalancerNodePorts != nil && !balanced, field.Forbidden(p.Child("allocateLoadBalancerNodePorts"), onlyBalanced))
	errs = append(errs, when(s.AllocateLoadBalancerNodePorts == nil && balanced, field.Required(p.Child("allocateLoadBalancerNodePorts"), mustBeSet))...)
	if s.LoadBalancerClass == nil {
		return errs
	}
	if !balanced {
		return append(errs, field.Forbidden(p.Child("loadBalancerClass"), onlyBalanced))
	}
	return append(errs, qualified(p.Child("loadBalancerClass"), *s.LoadBalancerClass)...)
}

// loadBalancerUpdate checks what a LoadBalancer keeps.
func loadBalancerUpdate(svc, old *v1.Service) field.ErrorList {
	now, was := &svc.Spec, &old.Spec
	var errs field.ErrorList
	if now.Type == v1.ServiceTypeLoadBalancer && was.Type == v1.ServiceTypeLoadBalancer {
		a, b := now.LoadBalancerClass, was.LoadBalancerClass
		errs = when((a == nil) != (b == nil) || a != nil && *a != *b, field.Invalid(specPath().Child("loadBalancerClass"), a, onceSet))
	}
	return append(errs, when(healthChecked(now) && healthChecked(was) && now.HealthCheckNodePort != was.HealthCheckNodePort,
		field.Forbidden(specPath().Child("healthCheckNodePort"), "field is immutable"))...)
}

func healthChecked(s *v1.ServiceSpec) bool {
	return s.Type == v1.ServiceTypeLoadBalancer && s.ExternalTrafficPolicy == v1.ServiceExternalTrafficPolicyLocal
}

// sourceRanges checks who may reach a load balancer. For the annotation's sake, spaces
// around a range do not matter.
func sourceRanges(svc, old *v1.Service) field.ErrorList {
	p, ranges := specPath().Child("LoadBalancerSourceRanges"), svc.Spec.LoadBalancerSourceRanges
	text, annotated := svc.Annotations[v1.AnnotationLoadBalancerSourceRangesKey]
	var had []string
	if old != nil {
		had = slices.Concat(old.Spec.LoadBalancerSourceRanges, strings.Split(old.Annotations[v1.AnnotationLoadBalancerSourceRangesKey], ","))
		for i := range had {
			had[i] = strings.TrimSpace(had[i])
		}
	}
	at := func(i int) *field.Path { return p.Index(i) }
	if len(ranges) == 0 {
		if !annotated {
			return nil
		}
		p = metaPath().Child("annotations").Key(v1.AnnotationLoadBalancerSourceRangesKey)
		at = func(int) *field.Path { return p }
		if text = strings.TrimSpace(text); text != "" {
			ranges = strings.Split(text, ",")
		}
	}
	errs := when(svc.Spec.Type != v1.ServiceTypeLoadBalancer, field.Forbidden(p, onlyBalanced))
	for i, r := range ranges {
		errs = append(errs, validation.IsValidCIDRForLegacyField(at(i), strings.TrimSpace(r), true, had)...)
	}
	return errs
}

// trafficPolicies checks which endpoints traffic may go to. That a health check has a port
// is the apiserver's to see to: it gives one.
func trafficPolicies(svc *v1.Service) field.ErrorList {
	s, p := &svc.Spec, specPath()
	var errs field.ErrorList
	if defaults.External(svc) {
		errs = oneOf(p.Child("externalTrafficPolicy"), s.ExternalTrafficPolicy, v1.ServiceExternalTrafficPolicyCluster, v1.ServiceExternalTrafficPolicyLocal)
	} else {
		errs = when(s.ExternalTrafficPolicy != "", field.Invalid(p.Child("externalTrafficPolicy"), s.ExternalTrafficPolicy, "may only be set for externally-accessible services"))
	}
	if s.HealthCheckNodePort != 0 {
		at := p.Child("healthCheckNodePort")
		if healthChecked(s) {
			errs = append(errs, faults(at, s.HealthCheckNodePort, validation.IsValidPortNum(int(s.HealthCheckNodePort)))...)
		} else {
			errs = append(errs, field.Invalid(at, s.HealthCheckNodePort, "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"))
		}
	}
	known := s.Type == v1.ServiceTypeClusterIP || s.Type == v1.ServiceTypeNodePort || s.Type == v1.ServiceTypeLoadBalancer
	return extend(errs,
		when(s.InternalTrafficPolicy == nil && known, field.Required(p.Child("internalTrafficPolicy"), mustBeSet)),
		maybeOneOf(p.Child("internalTrafficPolicy"), s.InternalTrafficPolicy, v1.ServiceInternalTrafficPolicyCluster, v1.ServiceInternalTrafficPolicyLocal),
		maybeOneOf(p.Child("trafficDistribution"), s.TrafficDistribution,
			v1.ServiceTrafficDistributionPreferClose, v1.ServiceTrafficDistributionPreferSameZone, v1.ServiceTrafficDistributionPreferSameNode),
	)
}

// balancerStatus checks a load balancer's addresses.
func balancerStatus(svc, old *v1.Service) field.ErrorList {
	p, in := field.NewPath("status", "loadBalancer", "ingress"), svc.Status.LoadBalancer.Ingress
	if svc.Spec.Type != v1.ServiceTypeLoadBalancer {
		return when(len(in) > 0, field.Forbidden(p, "may only be used when `spec.type` is 'LoadBalancer'"))
	}
	var had []string
	for _, i := range old.Status.LoadBalancer.Ingress {
		had = append(had, i.IP)
	}
	var errs field.ErrorList
	for i := range in {
		errs = append(errs, ingress(p.Index(i), &in[i], had)...)
	}
	return errs
}

func ingress(p *field.Path, in *v1.LoadBalancerIngress, had []string) field.ErrorList {
	var errs field.ErrorList
	if in.IP != "" {
		errs = validation.IsValidIPForLegacyField(p.Child("ip"), in.IP, true, had)
	}
	switch {
	case in.IPMode == nil:
		errs = append(errs, when(in.IP != "", field.Required(p.Child("ipMode"), "must be specified when `ip` is set"))...)
	case in.IP == "":
		errs = append(errs, field.Forbidden(p.Child("ipMode"), "may not be specified when `ip` is not set"))
	default:
		errs = append(errs, maybeOneOf(p.Child("ipMode"), in.IPMode, v1.LoadBalancerIPModeProxy, v1.LoadBalancerIPModeVIP)...)
	}
	if in.Hostname != "" {
		errs = append(errs, subdomain(p.Child("hostname"), in.Hostname)...)
		errs = append(errs, when(netutils.ParseIPSloppy(in.Hostname) != nil, field.Invalid(p.Child("hostname"), in.Hostname, "must be a DNS name, not an IP address"))...)
	}
	return errs
}
