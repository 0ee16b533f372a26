package column

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/skerry/skerry/schemas"
)

const (
	// balancerWidth is how much of a load balancer's addresses is shown.
	balancerWidth = 16
	// mostShown is how many addresses or ports are.
	mostShown = 3
)

// Service returns the columns of services.
func Service() []schemas.Column {
	service := func(name string, value func(s *corev1.Service) string) schemas.Column {
		return column(name, func(s *corev1.Service, _ time.Time) string { return value(s) })
	}
	return append([]schemas.Column{
		name(),
		service("TYPE", func(s *corev1.Service) string { return string(s.Spec.Type) }),
		service("CLUSTER-IP", func(s *corev1.Service) string {
			if len(s.Spec.ClusterIPs) == 0 {
				return "<none>"
			}
			return s.Spec.ClusterIPs[0]
		}),
		service("EXTERNAL-IP", externalIP),
		service("PORT(S)", func(s *corev1.Service) string { return orNone(servicePorts(s.Spec.Ports)) }),
		age(),
	}, wide(
		service("SELECTOR", func(s *corev1.Service) string { return labels.FormatLabels(s.Spec.Selector) }),
	)...)
}

func externalIP(s *corev1.Service) string {
	switch s.Spec.Type {
	case corev1.ServiceTypeExternalName:
		return s.Spec.ExternalName
	case corev1.ServiceTypeClusterIP, corev1.ServiceTypeNodePort:
		return orNone(strings.Join(s.Spec.ExternalIPs, ","))
	case corev1.ServiceTypeLoadBalancer:
		all := s.Spec.ExternalIPs
		if b := balancers(s.Status.LoadBalancer.Ingress); b != "" {
			all = append([]string{b}, all...)
		}
		if len(all) == 0 {
			return "<pending>"
		}
		return strings.Join(all, ",")
	}
	return "<unknown>"
}

func balancers(ingress []corev1.LoadBalancerIngress) string {
	var all []string
	for _, i := range ingress {
		if i.IP != "" {
			all = append(all, i.IP)
		} else if i.Hostname != "" {
			all = append(all, i.Hostname)
		}
	}
	slices.Sort(all)
	text := strings.Join(slices.Compact(all), ",")
	if len(text) > balancerWidth {
		return text[:balancerWidth-3] + "..."
	}
	return text
}

func servicePorts(ports []corev1.ServicePort) string {
	out := make([]string, len(ports))
	for i, p := range ports {
		out[i] = fmt.Sprintf("%d/%s", p.Port, p.Protocol)
		if p.NodePort > 0 {
			out[i] = fmt.Sprintf("%d:%d/%s", p.Port, p.NodePort, p.Protocol)
		}
	}
	return strings.Join(out, ",")
}

// Endpoints returns the columns of endpoints.
func Endpoints() []schemas.Column {
	return []schemas.Column{
		name(),

		column("ENDPOINTS", func(e *corev1.Endpoints, _ time.Time) string { return endpoints(e) }),
		age(),
	}
}

func endpoints(e *corev1.Endpoints) string {
	if len(e.Subsets) == 0 {
		return "<none>"
	}
	var all []string
	for _, s := range e.Subsets {
		if len(s.Ports) == 0 {
			for _, a := range s.Addresses {
				all = append(all, a.IP)
			}
		}
		for _, p := range s.Ports {
			for _, a := range s.Addresses {
				all = append(all, net.JoinHostPort(a.IP, number(p.Port)))
			}
		}
	}
	return first(all, "")
}

// EndpointSlice returns the columns of endpoint slices.
func EndpointSlice() []schemas.Column {
	slice := func(name string, value func(e *discoveryv1.EndpointSlice) string) schemas.Column {
		return column(name, func(e *discoveryv1.EndpointSlice, _ time.Time) string { return value(e) })
	}
	return []schemas.Column{
		name(),
		slice("ADDRESSTYPE", func(e *discoveryv1.EndpointSlice) string { return string(e.AddressType) }),
		slice("PORTS", func(e *discoveryv1.EndpointSlice) string {
			var all []string
			for _, p := range e.Ports {
				switch {
				case p.Port != nil:
					all = append(all, number(*p.Port))
				case p.Name != nil:
					all = append(all, *p.Name)
				default:
					all = append(all, "*")
				}
			}
			return first(all, "<unset>")
		}),
		slice("ENDPOINTS", func(e *discoveryv1.EndpointSlice) string {
			var all []string
			for i := range e.Endpoints {
				all = append(all, e.Endpoints[i].Addresses...)
			}
			return first(all, "<unset>")
		}),
		age(),
	}
}

// first shows the first of all, and how many more there are.
func first(all []string, none string) string {
	switch {
	case len(all) == 0:
		return none
	case len(all) > mostShown:
		return strings.Join(all[:mostShown], ",") + " + " + strconv.Itoa(len(all)-mostShown) + " more..."
	}
	return strings.Join(all, ",")
}
