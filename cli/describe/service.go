package describe

import (
	"net"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// mostEndpoints is how many of a port's endpoints are named.
const mostEndpoints = 3

func (p *page) service(s *corev1.Service, endpoints []*discoveryv1.EndpointSlice) {
	p.meta(s)
	p.pairs(0, "Labels", "=", s.Labels)
	p.annotations(s.Annotations)
	p.field(0, "Selector", labels.FormatLabels(s.Spec.Selector))
	p.deletion(s)
	p.field(0, "Type", s.Spec.Type)
	if s.Spec.IPFamilyPolicy != nil {
		p.field(0, "IP Family Policy", *s.Spec.IPFamilyPolicy)
	}
	var families []string
	for _, f := range s.Spec.IPFamilies {
		families = append(families, string(f))
	}
	p.field(0, "IP Families", strings.Join(families, ","))
	p.line(0, "IP:\t%s", s.Spec.ClusterIP)
	p.field(0, "IPs", strings.Join(s.Spec.ClusterIPs, ","))
	p.optional("External IPs", strings.Join(s.Spec.ExternalIPs, ","))
	p.optional("Desired LoadBalancer IP", s.Spec.LoadBalancerIP)
	p.optional("External Name", s.Spec.ExternalName)
	var balancers []string
	for _, in := range s.Status.LoadBalancer.Ingress {
		balancers = append(balancers, strings.TrimSpace(in.IP+" "+in.Hostname))
	}
	p.optional("LoadBalancer Ingress", strings.Join(balancers, ", "))
	for i := range s.Spec.Ports {
		p.servicePort(&s.Spec.Ports[i], endpoints)
	}
	p.field(0, "Session Affinity", s.Spec.SessionAffinity)
	p.optional("External Traffic Policy", string(s.Spec.ExternalTrafficPolicy))
	if s.Spec.InternalTrafficPolicy != nil {
		p.field(0, "Internal Traffic Policy", *s.Spec.InternalTrafficPolicy)
	}
	if s.Spec.HealthCheckNodePort != 0 {
		p.field(0, "HealthCheck NodePort", s.Spec.HealthCheckNodePort)
	}
	p.optional("LoadBalancer Source Ranges", strings.Join(s.Spec.LoadBalancerSourceRanges, ","))
	if s.Spec.TrafficDistribution != nil {
		p.field(0, "Traffic Distribution", *s.Spec.TrafficDistribution)
	}
}

// optional is a field that is only there if it has a value.
func (p *page) optional(key, value string) {
	if value != "" {
		p.field(0, key, value)
	}
}

func (p *page) servicePort(port *corev1.ServicePort, endpoints []*discoveryv1.EndpointSlice) {
	name := port.Name
	if name == "" {
		name = "<unset>"
	}
	p.line(0, "Port:\t%s\t%d/%s", name, port.Port, port.Protocol)
	p.line(0, "TargetPort:\t%s/%s", port.TargetPort.String(), port.Protocol)
	if port.AppProtocol != nil {
		p.field(0, "AppProtocol", *port.AppProtocol)
	}
	if port.NodePort != 0 {
		p.line(0, "NodePort:\t%s\t%d/%s", name, port.NodePort, port.Protocol)
	}
	p.line(0, "Endpoints:\t%s", readyAt(endpoints, port.Name))
}

// readyAt names the first ready endpoints of a port, and says how many more there are.
func readyAt(all []*discoveryv1.EndpointSlice, name string) string {
	var at []string
	for _, s := range all {
		i := slices.IndexFunc(s.Ports, func(p discoveryv1.EndpointPort) bool { return p.Name != nil && *p.Name == name && p.Port != nil })
		if i < 0 {
			continue
		}
		for _, e := range s.Endpoints {
			if e.Conditions.Ready != nil && !*e.Conditions.Ready {
				continue
			}
			for _, a := range e.Addresses {
				at = append(at, net.JoinHostPort(a, strconv.Itoa(int(*s.Ports[i].Port))))
			}
		}
	}
	if len(at) > mostEndpoints {
		return strings.Join(at[:mostEndpoints], ",") + " + " + strconv.Itoa(len(at)-mostEndpoints) + " more..."
	}
	return strings.Join(at, ",")
}
