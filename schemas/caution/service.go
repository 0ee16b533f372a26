package caution

import (
	"fmt"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// service tells of fields that mean nothing for a service of this sort, or no more.
func service(s *corev1.ServiceSpec) (said []string) {
	at := field.NewPath("spec")
	headless := s.Type == corev1.ServiceTypeClusterIP && s.ClusterIP == corev1.ClusterIPNone
	external := s.Type == corev1.ServiceTypeExternalName
	if !headless && !external {
		said = ips(said, at.Child("clusterIPs"), s.ClusterIPs)
	}
	for _, w := range []struct {
		applies bool
		text    string
	}{
		{headless && s.LoadBalancerIP != "", "spec.loadBalancerIP is ignored for headless services"},
		{headless && len(s.ExternalIPs) > 0, "spec.externalIPs is ignored for headless services"},
		{headless && s.SessionAffinity != corev1.ServiceAffinityNone, "spec.SessionAffinity is ignored for headless services"},
		{!headless && !external && len(s.ExternalIPs) > 0, "spec.externalIPs is deprecated and may no longer be implemented in some clusters"},
		{external && len(s.ExternalIPs) > 0, fmt.Sprintf("spec.externalIPs is ignored when spec.type is %q", s.Type)},
		{!external && s.ExternalName != "", fmt.Sprintf("spec.externalName is ignored when spec.type is not %q", corev1.ServiceTypeExternalName)},
		{s.TrafficDistribution != nil && *s.TrafficDistribution == corev1.ServiceTrafficDistributionPreferClose,
			fmt.Sprintf("spec.trafficDistribution: %q is deprecated; use %q", corev1.ServiceTrafficDistributionPreferClose, corev1.ServiceTrafficDistributionPreferSameZone)},
	} {
		if w.applies {
			said = append(said, w.text)
		}
	}
	said = ips(said, at.Child("externalIPs"), s.ExternalIPs)
	if _, err := netip.ParseAddr(s.LoadBalancerIP); err == nil { // which may be anything

		said = append(said, validation.GetWarningsForIP(at.Child("loadBalancerIP"), s.LoadBalancerIP)...)
	}
	for i, r := range s.LoadBalancerSourceRanges {
		said = append(said, validation.GetWarningsForCIDR(at.Child("loadBalancerSourceRanges").Index(i), r)...)
	}
	return said
}

// ips adds what there is to say of how addresses are written.
func ips(said []string, at *field.Path, addresses []string) []string {
	for i, a := range addresses {
		said = append(said, validation.GetWarningsForIP(at.Index(i), a)...)
	}
	return said
}

// slice tells of how a slice's addresses are written, and a new one's author of a type of
// them that goes.
func slice(e *discoveryv1.EndpointSlice, isNew bool) (said []string) {
	if isNew && e.AddressType == discoveryv1.AddressTypeFQDN {
		return []string{"spec.addressType: FQDN endpoints are deprecated"}
	}
	if e.AddressType != discoveryv1.AddressTypeIPv4 && e.AddressType != discoveryv1.AddressTypeIPv6 {
		return nil
	}
	for i := range e.Endpoints {
		said = ips(said, field.NewPath("endpoints").Index(i).Child("addresses"), e.Endpoints[i].Addresses)
	}
	return said
}
