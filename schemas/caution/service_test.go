package caution

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
)

func TestServices(t *testing.T) {
	for name, tt := range map[string]struct {
		spec corev1.ServiceSpec
		want string
	}{
		"nothing":  {corev1.ServiceSpec{Type: "ClusterIP", ClusterIP: "10.96.0.2", ClusterIPs: []string{"10.96.0.2"}, SessionAffinity: "ClientIP"}, ""},
		"headless": {corev1.ServiceSpec{Type: "ClusterIP", ClusterIP: "None", ClusterIPs: []string{"None"}, SessionAffinity: "ClientIP", ExternalIPs: []string{"192.0.2.1"}, LoadBalancerIP: "192.0.2.1"}, "spec.loadBalancerIP is ignored for headless services\nspec.externalIPs is ignored for headless services\nspec.SessionAffinity is ignored for headless services"},
		"external": {corev1.ServiceSpec{Type: "ExternalName", ExternalName: "a", ExternalIPs: []string{"192.0.2.1"}}, `spec.externalIPs is ignored when spec.type is "ExternalName"`},
		"others":   {corev1.ServiceSpec{Type: "ClusterIP", ExternalName: "a", ExternalIPs: []string{"192.0.2.1"}}, "spec.externalIPs is deprecated and may no longer be implemented in some clusters\nspec.externalName is ignored when spec.type is not \"ExternalName\""},
		"near":     {corev1.ServiceSpec{Type: "ClusterIP", TrafficDistribution: new("PreferClose")}, `spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"`},
	} {
		if got := strings.Join(Of(&corev1.Service{Spec: tt.spec}, nil), "\n"); got != tt.want {
			t.Errorf("%s: got %s\nwant %s", name, got, tt.want)
		}
	}
	e := &discoveryv1.EndpointSlice{AddressType: "IPv4", Endpoints: []discoveryv1.Endpoint{{Addresses: []string{"10.0.0.1"}}, {Addresses: []string{"10.0.0.01"}}}}
	if got := Of(e, nil); len(got) != 1 || !strings.HasPrefix(got[0], "endpoints[1].addresses[0]: ") {
		t.Errorf("got %q", got)
	}
}
