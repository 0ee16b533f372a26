package allot

import (
	"fmt"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	netutils "k8s.io/utils/net"

	"github.com/skerry/skerry/schemas/validate"
)

// families completes ipFamilies and ipFamilyPolicy for a cluster whose only family is
// IPv4, or says what it cannot do for svc. A headless service without a selector has
// whatever endpoints somebody gives it, so it may have both.
func (r Ranges) families(svc, old *v1.Service) field.ErrorList {
	s := &svc.Spec
	if s.Type == v1.ServiceTypeExternalName {
		return nil
	}
	anything := s.ClusterIP == v1.ClusterIPNone && len(s.Selector) == 0
	if s.IPFamilyPolicy == nil {
		policy := v1.IPFamilyPolicySingleStack
		switch {
		case old != nil && old.Spec.IPFamilyPolicy != nil:
			policy = *old.Spec.IPFamilyPolicy
		case anything:
			policy = v1.IPFamilyPolicyRequireDualStack
		}
		s.IPFamilyPolicy = &policy
	}
	if errs := validate.ClusterIPs(svc, old); len(errs) > 0 {
		return errs
	}
	single := *s.IPFamilyPolicy == v1.IPFamilyPolicySingleStack
	if errs := r.contradictions(s, single); len(errs) > 0 {
		return errs
	}
	if anything {
		if len(s.IPFamilies) == 0 {
			s.IPFamilies = []v1.IPFamily{v1.IPv4Protocol}
		}
		if len(s.IPFamilies) == 1 && !single {
			s.IPFamilies = append(s.IPFamilies, other(s.IPFamilies[0]))
		}
		return nil
	}
	p := field.NewPath("spec")
	var errs field.ErrorList
	if *s.IPFamilyPolicy == v1.IPFamilyPolicyRequireDualStack {
		errs = append(errs, field.Invalid(p.Child("ipFamilyPolicy"), *s.IPFamilyPolicy, "this cluster is not configured for dual-stack services"))
	}
	for i, f := range s.IPFamilies {
		if f != v1.IPv4Protocol {
			errs = append(errs, field.Invalid(p.Child("ipFamilies").Index(i), f, "not configured on this cluster"))
		}
	}
	if len(errs) == 0 && len(s.IPFamilies) == 0 {
		s.IPFamilies = []v1.IPFamily{v1.IPv4Protocol}
	}
	return errs
}

// contradictions are two families, or addresses, of a service that says it has one, and
// addresses of a family that the cluster has not.
func (r Ranges) contradictions(s *v1.ServiceSpec, single bool) field.ErrorList {
	p := field.NewPath("spec")
	var errs field.ErrorList
	if single && len(s.ClusterIPs) == 2 {
		errs = append(errs, field.Invalid(p.Child("ipFamilyPolicy"), *s.IPFamilyPolicy, "must be 'RequireDualStack' or 'PreferDualStack' when multiple cluster IPs are specified"))
	}
	if single && len(s.IPFamilies) == 2 {
		errs = append(errs, field.Invalid(p.Child("ipFamilyPolicy"), *s.IPFamilyPolicy, "must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified"))
	}
	for i, ip := range s.ClusterIPs {
		if ip != v1.ClusterIPNone && i >= len(s.IPFamilies) && netutils.IsIPv6String(ip) {
			errs = append(errs, field.Invalid(p.Child("clusterIPs").Index(i), s.ClusterIPs, fmt.Sprintf("%s is not configured on this cluster", v1.IPv6Protocol)))
		}
	}
	return errs
}

func other(f v1.IPFamily) v1.IPFamily {
	if f == v1.IPv4Protocol {
		return v1.IPv6Protocol
	}
	return v1.IPv4Protocol
}
