package caution

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// each calls f with every container of a pod that is there from the beginning, at its path.
func each(p *field.Path, s *corev1.PodSpec, f func(*field.Path, *corev1.Container)) {
	for i := range s.InitContainers {
		f(p.Child("initContainers").Index(i), &s.InitContainers[i])
	}
	for i := range s.Containers {
		f(p.Child("containers").Index(i), &s.Containers[i])
	}
}

func containers(p *field.Path, s *corev1.PodSpec) (said []string) {
	each(p, s, func(at *field.Path, c *corev1.Container) {
		said = slices.Concat(said,
			wholeBytes(at.Child("resources", "limits"), c.Resources.Limits),
			wholeBytes(at.Child("resources", "requests"), c.Resources.Requests),
			hidden(at.Child("env"), c.Env))
	})
	var all ports
	each(p, s, func(at *field.Path, c *corev1.Container) {
		for i, port := range c.Ports {
			said = append(said, all.add(at.Child("ports").Index(i), port)...)
		}
	})
	return append(said, all.names()...)
}

// hidden is said of variables that take the place of others of their name. One that adds
// to the other is as it should be.
func hidden(p *field.Path, env []corev1.EnvVar) (said []string) {
	seen := map[string]bool{}
	for i, e := range env {
		ref := "$(" + e.Name + ")"
		adds := e.ValueFrom == nil && e.Value != ref && strings.Contains(e.Value, ref)
		if seen[e.Name] && !adds {
			said = append(said, sayf(p.Index(i), "hides previous definition of %q, which may be dropped when using apply", e.Name))
		}
		seen[e.Name] = true
	}
	return said
}

// ports are those of all containers of a pod so far, in order.
type ports []portAt

type portAt struct {
	at *field.Path
	corev1.ContainerPort
}

// add is said of a port beside the earlier ones.
func (ps *ports) add(at *field.Path, port corev1.ContainerPort) (said []string) {
	if port.HostIP != "" && port.HostPort == 0 {
		said = append(said, sayf(at, "hostIP set without hostPort: %+v", port))
	}
	for _, other := range *ps {
		if other.ContainerPort.ContainerPort != port.ContainerPort || other.Protocol != port.Protocol {
			continue
		}
		switch {
		case port.HostIP == other.HostIP && port.HostPort == other.HostPort:
			said = append(said, sayf(at, "duplicate port definition with %s", other.at))
		case port.HostPort == 0 || other.HostPort == 0:
			said = append(said, sayf(at, "overlapping port definition with %s", other.at))
		case port.HostPort == other.HostPort && (port.HostIP == "") != (other.HostIP == ""):
			said = append(said, sayf(at, "dangerously ambiguous port definition with %s", other.at))
		}
	}
	*ps = append(*ps, portAt{at, port})
	return said
}

// names is said of names that two ports have.
func (ps *ports) names() (said []string) {
	first := map[string]*field.Path{}
	for _, p := range *ps {
		other := first[p.Name]
		switch {
		case p.Name == "":
		case other != nil:
			said = append(said, sayf(p.at, "duplicate port name %q with %s, services and probes that select ports by name will use %s", p.Name, other, other))
		default:
			first[p.Name] = p.at
		}
	}
	return said
}
