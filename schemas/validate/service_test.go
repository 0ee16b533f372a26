package validate_test

import (
	"testing"

	v1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/randfill"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/defaults"
	"github.com/skerry/skerry/schemas/validate"
)

// goodService is a valid service as the apiserver stores it, but for change.
func goodService(change func(*v1.Service)) *v1.Service {
	s := &v1.Service{ObjectMeta: meta("web"), Spec: v1.ServiceSpec{
		ClusterIP: "10.96.0.5", IPFamilies: []v1.IPFamily{v1.IPv4Protocol}, IPFamilyPolicy: new(v1.IPFamilyPolicySingleStack),
		Selector: map[string]string{"app": "web"}, Ports: []v1.ServicePort{{Name: "http", Port: 80}},
	}}
	if change != nil {
		change(s)
	}
	defaults.Service(s)
	return s
}

func TestService(t *testing.T) {
	type c struct {
		name   string
		change func(*v1.Service)
		want   []fault
	}
	none := func(s *v1.Service) { s.Spec.ClusterIP = "None" }
	for _, c := range []c{
		{"good", nil, nil},
		{"not given an address yet", func(s *v1.Service) { s.Spec.ClusterIP, s.Spec.IPFamilies, s.Spec.IPFamilyPolicy = "", nil, nil }, nil},
		{"digit first", func(s *v1.Service) { s.Name = "9web" }, nil},
		{"name", func(s *v1.Service) { s.Name = "a.b" }, one(invalid, "metadata.name", "must not contain dots")},
		{"no ports", func(s *v1.Service) { s.Spec.Ports = nil }, one(required, "spec.ports", "")},
		{"headless without ports", func(s *v1.Service) { none(s); s.Spec.Ports = nil }, nil},
		{"headless node port", func(s *v1.Service) { none(s); s.Spec.Type = "NodePort" }, one(invalid, "spec.clusterIPs[0]", "may not be set to 'None' for NodePort services")},
		{"type", func(s *v1.Service) { s.Spec.Type = "Odd" }, one(unsupported, "spec.type", `supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"`)},
		{"external name", func(s *v1.Service) { s.Spec.Type = "ExternalName"; s.Spec.ExternalName = "a.example." }, []fault{
			{forbidden, "spec.clusterIPs", "may not be set for ExternalName services"}, {forbidden, "spec.ipFamilies", "may not"}, {forbidden, "spec.ipFamilyPolicy", "may not"}}},
		{"external name without one", func(s *v1.Service) { s.Spec = v1.ServiceSpec{Type: "ExternalName"} }, one(required, "spec.externalName", "")},
		{"second port unnamed", func(s *v1.Service) { s.Spec.Ports = append(s.Spec.Ports, v1.ServicePort{Port: 81}) }, one(required, "spec.ports[1].name", "")},
		{"port twice", func(s *v1.Service) { s.Spec.Ports = append(s.Spec.Ports, v1.ServicePort{Name: "b", Port: 80}) }, one(duplicate, "spec.ports[1]", "")},
		{"port name twice", func(s *v1.Service) { s.Spec.Ports = append(s.Spec.Ports, v1.ServicePort{Name: "http", Port: 81}) }, one(duplicate, "spec.ports[1].name", "")},
		{"one port of two protocols", func(s *v1.Service) {
			s.Spec.Ports = append(s.Spec.Ports, v1.ServicePort{Name: "b", Port: 80, Protocol: "UDP"})
		}, nil},
		{"port number", func(s *v1.Service) { s.Spec.Ports[0].Port = 70000 }, []fault{{invalid, "spec.ports[0].port", "between 1 and 65535"}, {invalid, "spec.ports[0].targetPort", "between 1 and 65535"}}},
		{"target port", func(s *v1.Service) { s.Spec.Ports[0].TargetPort.Type = 1; s.Spec.Ports[0].TargetPort.StrVal = "http-" }, one(invalid, "spec.ports[0].targetPort", "")},
		{"node port of a cluster IP", func(s *v1.Service) { s.Spec.Ports[0].NodePort = 30000 }, one(forbidden, "spec.ports[0].nodePort", "may not be used when `type` is 'ClusterIP'")},
		{"affinity", func(s *v1.Service) { s.Spec.SessionAffinity = "Odd" }, one(unsupported, "spec.sessionAffinity", "")},
		{"affinity's time", func(s *v1.Service) {
			s.Spec.SessionAffinity = "ClientIP"
			s.Spec.SessionAffinityConfig = &v1.SessionAffinityConfig{ClientIP: &v1.ClientIPConfig{TimeoutSeconds: new(int32(90000))}}
		}, one(invalid, "spec.sessionAffinityConfig.clientIP.timeoutSeconds", "must be greater than 0 and less than 86400")},
		{"clusterIPs differ", func(s *v1.Service) { s.Spec.ClusterIPs = []string{"10.96.0.6"} }, one(invalid, "spec.clusterIPs", "first value must match `clusterIP`")},
		{"two of one family", func(s *v1.Service) { s.Spec.ClusterIPs = []string{"10.96.0.5", "10.96.0.6"} }, one(invalid, "spec.clusterIPs", "may specify no more than one IP for each IP family")},
		{"leading zero", func(s *v1.Service) { s.Spec.ClusterIP = "10.96.0.05" }, one(invalid, "spec.clusterIPs[0]", "leading 0s")},
		{"other family", func(s *v1.Service) { s.Spec.ClusterIP = "fd00::1" }, one(invalid, "spec.clusterIPs[0]", "expected an IPv4 value as indicated by `ipFamilies[0]`")},
		{"external IP", func(s *v1.Service) { s.Spec.ExternalIPs = []string{"127.0.0.1"} }, one(invalid, "spec.externalIPs[0]", "may not be in the loopback range")},
		{"external policy", func(s *v1.Service) { s.Spec.ExternalTrafficPolicy = "Local" }, one(invalid, "spec.externalTrafficPolicy", "may only be set for externally-accessible services")},
		{"distribution", func(s *v1.Service) { s.Spec.TrafficDistribution = new("Near") }, one(unsupported, "spec.trafficDistribution", "")},
		{"balancer's own", func(s *v1.Service) {
			s.Spec.LoadBalancerClass, s.Spec.AllocateLoadBalancerNodePorts, s.Spec.HealthCheckNodePort = new("a.example/b"), new(true), 30000
			s.Spec.LoadBalancerSourceRanges = []string{"10.0.0.0/8"}
		}, []fault{{forbidden, "spec.loadBalancerClass", ""}, {forbidden, "spec.allocateLoadBalancerNodePorts", ""}, {forbidden, "spec.LoadBalancerSourceRanges", ""}, {invalid, "spec.healthCheckNodePort", ""}}},
		{"annotation's ranges", func(s *v1.Service) {
			s.Spec.Type = "LoadBalancer"
			s.Annotations = map[string]string{v1.AnnotationLoadBalancerSourceRangesKey: " 10.0.0.0/8, nowhere"}
		}, one(invalid, "metadata.annotations[service.beta.kubernetes.io/load-balancer-source-ranges]", "")},
	} {
		t.Run(c.name, func(t *testing.T) { expect(t, validate.Service(goodService(c.change)), c.want...) })
	}
}

func TestServiceUpdate(t *testing.T) {
	external := func(s *v1.Service) { s.Spec = v1.ServiceSpec{Type: "ExternalName", ExternalName: "a.example"} }
	balanced := func(class *string) func(*v1.Service) {
		return func(s *v1.Service) { s.Spec.Type, s.Spec.LoadBalancerClass = "LoadBalancer", class }
	}
	moved := func(s *v1.Service) { s.Spec.ClusterIP = "10.96.0.6" }
	none := func(s *v1.Service) { s.Spec.ClusterIP = "None" }
	run(t, []faultsCase{
		{"same", validate.ServiceUpdate(goodService(nil), goodService(nil)), nil},
		{"moved", validate.ServiceUpdate(goodService(moved), goodService(nil)), one(invalid, "spec.clusterIPs[0]", "may not change once set")},
		{"headless", validate.ServiceUpdate(goodService(none), goodService(nil)), one(invalid, "spec.clusterIPs[0]", "may not change once set")},
		{"unset", validate.ServiceUpdate(goodService(func(s *v1.Service) { s.Spec.ClusterIP = "" }), goodService(nil)), one(invalid, "spec.clusterIPs[0]", "primary clusterIP can not be unset")},
		{"to external", validate.ServiceUpdate(goodService(external), goodService(nil)), nil},
		{"from external", validate.ServiceUpdate(goodService(nil), goodService(external)), nil},
		{"class", validate.ServiceUpdate(goodService(balanced(new("a.example/b"))), goodService(balanced(nil))), one(invalid, "spec.loadBalancerClass", "may not change once set")},
		{"class with the type", validate.ServiceUpdate(goodService(balanced(new("a.example/b"))), goodService(nil)), nil},
		{"status", validate.ServiceStatus(goodService(func(s *v1.Service) { s.Status.LoadBalancer.Ingress = []v1.LoadBalancerIngress{{IP: "192.0.2.1"}} }), goodService(nil)),
			one(forbidden, "status.loadBalancer.ingress", "may only be used when `spec.type` is 'LoadBalancer'")},
		{"status' host", validate.ServiceStatus(goodService(func(s *v1.Service) {
			s.Spec.Type = "LoadBalancer"
			s.Status.LoadBalancer.Ingress = []v1.LoadBalancerIngress{{Hostname: "192.0.2.1"}}
		}), goodService(nil)), one(invalid, "status.loadBalancer.ingress[0].hostname", "must be a DNS name, not an IP address")},
	})
}

func TestEndpointSlice(t *testing.T) {
	slice := func(change func(*discoveryv1.EndpointSlice)) *discoveryv1.EndpointSlice {
		e := &discoveryv1.EndpointSlice{ObjectMeta: meta("web-1"), AddressType: discoveryv1.AddressTypeIPv4,
			Ports: []discoveryv1.EndpointPort{{Port: new(int32(80))}}, Endpoints: []discoveryv1.Endpoint{{Addresses: []string{"10.244.0.2"}, NodeName: new("n1")}}}
		change(e)
		defaults.EndpointSlice(e)
		return e
	}
	same := func(*discoveryv1.EndpointSlice) {}
	bad := func(e *discoveryv1.EndpointSlice) { e.Endpoints[0].Addresses[0] = "127.0.0.1" }
	run(t, []faultsCase{
		{"good", validate.EndpointSlice(slice(same)), nil},
		{"type", validate.EndpointSlice(slice(func(e *discoveryv1.EndpointSlice) { e.AddressType = "" })), one(required, "addressType", "")},
		{"family", validate.EndpointSlice(slice(func(e *discoveryv1.EndpointSlice) { e.Endpoints[0].Addresses[0] = "fd00::1" })), one(invalid, "endpoints[0].addresses", "must be an IPv4 address")},
		{"loopback", validate.EndpointSlice(slice(bad)), one(invalid, "endpoints[0].addresses[0]", "loopback")},
		{"no address", validate.EndpointSlice(slice(func(e *discoveryv1.EndpointSlice) { e.Endpoints[0].Addresses = nil })), one(required, "endpoints[0].addresses", "must contain at least 1 address")},
		{"too many", validate.EndpointSlice(slice(func(e *discoveryv1.EndpointSlice) { e.Endpoints = make([]discoveryv1.Endpoint, 1001) })), one(tooMany, "endpoints", "1000")},
		{"port twice", validate.EndpointSlice(slice(func(e *discoveryv1.EndpointSlice) { e.Ports = append(e.Ports, e.Ports[0]) })), one(duplicate, "ports[1].name", "")},
		{"hostname", validate.EndpointSlice(slice(func(e *discoveryv1.EndpointSlice) { e.Endpoints[0].Hostname = new("a.b") })), one(invalid, "endpoints[0].hostname", "must not contain dots")},
		{"zone twice", validate.EndpointSlice(slice(func(e *discoveryv1.EndpointSlice) {
			e.Endpoints[0].Hints = &discoveryv1.EndpointHints{ForZones: []discoveryv1.ForZone{{Name: "a"}, {Name: "a"}}}
		})), one(duplicate, "endpoints[0].hints.forZones[1].name", "")},
		{"other type", validate.EndpointSliceUpdate(slice(func(e *discoveryv1.EndpointSlice) { e.AddressType, e.Endpoints = "IPv6", nil }), slice(same)), one(invalid, "addressType", "immutable")},
		{"bad as it was", validate.EndpointSliceUpdate(slice(bad), slice(bad)), nil},
	})
}

func TestEndpoints(t *testing.T) {
	endpoints := func(change func(*v1.EndpointSubset)) *v1.Endpoints {
		e := &v1.Endpoints{ObjectMeta: meta("web"), Subsets: []v1.EndpointSubset{{Addresses: []v1.EndpointAddress{{IP: "10.244.0.2"}}, Ports: []v1.EndpointPort{{Port: 80}}}}}
		change(&e.Subsets[0])
		defaults.Endpoints(e)
		return e
	}
	same := func(*v1.EndpointSubset) {}
	bad := func(s *v1.EndpointSubset) { s.Addresses[0].IP = "nowhere" }
	run(t, []faultsCase{
		{"good", validate.Endpoints(endpoints(same)), nil},
		{"address", validate.Endpoints(endpoints(bad)), one(invalid, "subsets[0].addresses[0].ip", "must be a valid IP address")},
		{"none", validate.Endpoints(endpoints(func(s *v1.EndpointSubset) { s.Addresses = nil })), one(required, "subsets[0]", "must specify `addresses` or `notReadyAddresses`")},
		{"second port unnamed", validate.Endpoints(endpoints(func(s *v1.EndpointSubset) { s.Ports = append(s.Ports, v1.EndpointPort{Name: "b", Port: 81}) })), one(required, "subsets[0].ports[0].name", "")},
		{"bad as it was", validate.EndpointsUpdate(endpoints(bad), endpoints(bad)), nil},
		{"bad anew", validate.EndpointsUpdate(endpoints(bad), endpoints(same)), one(invalid, "subsets[0].addresses[0].ip", "must be a valid IP address")},
	})
}

// Whatever decodes, defaulting and validating it does not panic, and validating changes nothing.
func TestServiceKindsOfAnything(t *testing.T) {
	fill := randfill.NewWithSeed(3).NilChance(0.3).NumElements(0, 3).Funcs(
		func(v *intstr.IntOrString, c randfill.Continue) { *v = intstr.FromInt32(c.Int31()) },
		func(s *v1.ServiceType, c randfill.Continue) {
			*s = []v1.ServiceType{"ClusterIP", "NodePort", "LoadBalancer", "ExternalName", "", "Odd"}[c.Intn(6)]
		},
		func(s *[]string, c randfill.Continue) {
			*s = [][]string{nil, {}, {"None"}, {"10.96.0.1"}, {"10.96.0.1", "fd00::1"}, {"", "x", "None"}}[c.Intn(6)]
		},
		func(m *metav1.FieldsV1, _ randfill.Continue) { m.Raw = []byte("{}") },
	)
	for _, c := range []struct {
		empty                  func() schemas.Object
		fill                   func(schemas.Object)
		validate               func(schemas.Object) field.ErrorList
		validateUpdate, status func(obj, old schemas.Object) field.ErrorList
	}{
		{func() schemas.Object { return &v1.Service{} }, defaults.Service, validate.Service, validate.ServiceUpdate, validate.ServiceStatus},
		{func() schemas.Object { return &v1.Endpoints{} }, defaults.Endpoints, validate.Endpoints, validate.EndpointsUpdate, validate.EndpointsUpdate},
		{func() schemas.Object { return &discoveryv1.EndpointSlice{} }, defaults.EndpointSlice, validate.EndpointSlice, validate.EndpointSliceUpdate, validate.EndpointSliceUpdate},
	} {
		for range 400 {
			obj, old := c.empty(), c.empty()
			fill.Fill(obj)
			fill.Fill(old)
			c.fill(obj)
			before := obj.DeepCopyObject()
			c.validate(obj)
			c.validateUpdate(obj, old)
			c.status(obj, old)
			if !equality.Semantic.DeepEqual(obj, before) {
				t.Fatalf("validation changed %+v", before)
			}
		}
	}
}
