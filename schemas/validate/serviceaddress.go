package validate

import (
	"fmt"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	netutils "k8s.io/utils/net"
)

// ClusterIPs checks clusterIP, clusterIPs, ipFamilies and ipFamilyPolicy with each other.
// The apiserver also asks it before it gives addresses. old is nil for a new service.
func ClusterIPs(svc, old *v1.Service) field.ErrorList {
	s, p := &svc.Spec, specPath().Child("clusterIPs")
	if s.Type == v1.ServiceTypeExternalName {
		return nil
	}
	var errs field.ErrorList
	switch {
	case s.ClusterIP != "" && len(s.ClusterIPs) == 0:
		errs = append(errs, field.Required(p, mustBeSet))
	case s.ClusterIP != "" && s.ClusterIPs[0] != s.ClusterIP:
		errs = append(errs, field.Invalid(p, s.ClusterIPs, "first value must match `clusterIP`"))
	case s.ClusterIP == "" && len(s.ClusterIPs) > 0:
		errs = append(errs, field.Invalid(p, s.ClusterIPs, "must be empty when `clusterIP` is not specified"))
	}
	errs = extend(errs, ipFamilies(s), maybeOneOf(specPath().Child("ipFamilyPolicy"), s.IPFamilyPolicy,
		v1.IPFamilyPolicyPreferDualStack, v1.IPFamilyPolicyRequireDualStack, v1.IPFamilyPolicySingleStack))
	malformed := clusterIPForms(s, old)
	errs = extend(errs, malformed, when(len(s.ClusterIPs) > 2, field.Invalid(p, s.ClusterIPs, "may only hold up to 2 values")))
	if len(malformed) > 0 {
		return errs // what follows would only repeat it
	}
	if len(s.ClusterIPs) > 1 {
		dual, err := netutils.IsDualStackIPStrings(s.ClusterIPs)
		errs = append(errs, when(err != nil || !dual, field.Invalid(p, s.ClusterIPs, "may specify no more than one IP for each IP family"))...)
	}
	if headless(svc) {
		return errs
	}
	for i, ip := range s.ClusterIPs {
		if i < len(s.IPFamilies) && netutils.IsIPv6String(ip) != (s.IPFamilies[i] == v1.IPv6Protocol) {
			errs = append(errs, field.Invalid(p.Index(i), ip, fmt.Sprintf("expected an %s value as indicated by `ipFamilies[%d]`", s.IPFamilies[i], i)))
		}
	}
	return errs
}

func ipFamilies(s *v1.ServiceSpec) field.ErrorList {
	var errs field.ErrorList
	seen := map[v1.IPFamily]bool{}
	for i, f := range s.IPFamilies {
		p := specPath().Child("ipFamilies").Index(i)
		if f != v1.IPv4Protocol && f != v1.IPv6Protocol {
			errs = append(errs, field.NotSupported(p, f, []v1.IPFamily{v1.IPv4Protocol, v1.IPv6Protocol}))
		}
		errs = append(errs, when(seen[f], field.Duplicate(p, f))...)
		seen[f] = true
	}
	return errs
}

func clusterIPForms(s *v1.ServiceSpec, old *v1.Service) field.ErrorList {
	var had []string
	if old != nil {
		had = old.Spec.ClusterIPs
	}
	p := specPath().Child("clusterIPs")
	var errs field.ErrorList
	for i, ip := range s.ClusterIPs {
		if i == 0 && ip == v1.ClusterIPNone {
			errs = append(errs, when(len(s.ClusterIPs) > 1, field.Invalid(p, s.ClusterIPs, "'None' must be the first and only value"))...)
			continue
		}
		errs = append(errs, validation.IsValidIPForLegacyField(p.Index(i), ip, true, had)...)
	}
	return errs
}

const onceSet = "may not change once set"

// clusterIPsUpdate lets addresses be added and the second one go, and change in no other
// way, unless the service is or becomes an ExternalName, or stays headless.
func clusterIPsUpdate(svc, old *v1.Service) field.ErrorList {
	if eitherExternal(svc, old) || headless(svc) && headless(old) {
		return nil
	}
	now, was, p := svc.Spec.ClusterIPs, old.Spec.ClusterIPs, specPath().Child("clusterIPs")
	var errs field.ErrorList
	if len(now) == 0 && len(was) > 0 {
		return field.ErrorList{field.Invalid(p.Index(0), now, "primary clusterIP can not be unset")}
	}
	for i := range min(len(now), len(was)) {
		errs = append(errs, when(now[i] != was[i], field.Invalid(p.Index(i), now, onceSet))...)
	}
	return append(errs, when(len(was) > len(now) && len(now) == 1 && !singleStack(svc),
		field.Invalid(specPath().Child("ipFamilyPolicy"), svc.Spec.IPFamilyPolicy, "must be set to 'SingleStack' when releasing the secondary clusterIP"))...)
}

func ipFamiliesUpdate(svc, old *v1.Service) field.ErrorList {
	if eitherExternal(svc, old) || headless(svc) || headless(old) {
		return nil
	}
	now, was, p := svc.Spec.IPFamilies, old.Spec.IPFamilies, specPath().Child("ipFamilies")
	var errs field.ErrorList
	if len(now) == 0 && len(was) > 0 {
		return field.ErrorList{field.Invalid(p.Index(0), now, "primary ipFamily can not be unset")}
	}
	for i := range min(len(now), len(was)) {
		errs = append(errs, when(now[i] != was[i], field.Invalid(p.Index(0), now, onceSet))...)
	}
	return append(errs, when(len(was) > len(now) && len(now) == 1 && !singleStack(svc),
		field.Invalid(specPath().Child("ipFamilyPolicy"), svc.Spec.IPFamilyPolicy, "must be set to 'SingleStack' when releasing the secondary ipFamily"))...)
}

func eitherExternal(svc, old *v1.Service) bool {
	return svc.Spec.Type == v1.ServiceTypeExternalName || old.Spec.Type == v1.ServiceTypeExternalName
}

func singleStack(svc *v1.Service) bool {
	return svc.Spec.IPFamilyPolicy != nil && *svc.Spec.IPFamilyPolicy == v1.IPFamilyPolicySingleStack
}

// externalIPs must be addresses that packets can be sent to.
func externalIPs(svc, old *v1.Service) field.ErrorList {
	var had []string
	if old != nil {
		had = old.Spec.ExternalIPs
	}
	var errs field.ErrorList
	for i, ip := range svc.Spec.ExternalIPs {
		p := specPath().Child("externalIPs").Index(i)
		malformed := validation.IsValidIPForLegacyField(p, ip, true, had)
		errs = append(errs, malformed...)
		if len(malformed) == 0 {
			errs = append(errs, endpointIP(p, ip)...)
		}
	}
	return errs
}

// endpointIP asks for an address that something other than this host can be at.
func endpointIP(p *field.Path, value string) field.ErrorList {
	ip := netutils.ParseIPSloppy(value)
	if ip == nil {
		return field.ErrorList{field.Invalid(p, value, "must be a valid IP address")}
	}
	var errs field.ErrorList
	for _, not := range []struct {
		applies bool
		why     string
	}{
		{ip.IsUnspecified(), fmt.Sprintf("may not be unspecified (%v)", value)},
		{ip.IsLoopback(), "may not be in the loopback range (127.0.0.0/8, ::1/128)"},
		{ip.IsLinkLocalUnicast(), "may not be in the link-local range (169.254.0.0/16, fe80::/10)"},
		{ip.IsLinkLocalMulticast(), "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"},
	} {
		errs = append(errs, when(not.applies, field.Invalid(p, value, not.why))...)
	}
	return errs
}
