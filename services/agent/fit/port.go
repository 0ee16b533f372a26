package fit

import (
	"slices"

	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/schemas/amount"
)

// portsFree tells whether the host's ports that p takes are nobody else's.
func portsFree(p *v1.Pod, others func() []*v1.Pod) bool {
	mine := hostPorts(p)
	if len(mine) == 0 {
		return true
	}
	for _, o := range others() {
		for _, theirs := range hostPorts(o) {
			if slices.ContainsFunc(mine, func(m v1.ContainerPort) bool { return collide(m, theirs) }) {
				return false
			}
		}
	}
	return true
}

// hostPorts are those of what runs as long as the pod.
func hostPorts(p *v1.Pod) (out []v1.ContainerPort) {
	take := func(c *v1.Container) {
		for _, port := range c.Ports {
			if port.HostPort > 0 {
				out = append(out, port)
			}
		}
	}
	for i := range p.Spec.Containers {
		take(&p.Spec.Containers[i])
	}
	for i := range p.Spec.InitContainers {
		if c := &p.Spec.InitContainers[i]; amount.IsSidecar(c) {
			take(c)
		}
	}
	return out
}

func collide(a, b v1.ContainerPort) bool {
	protocol := func(p v1.Protocol) v1.Protocol {
		if p == "" {
			return v1.ProtocolTCP
		}
		return p
	}
	all := func(ip string) bool { return ip == "" || ip == "0.0.0.0" || ip == "::" }
	return a.HostPort == b.HostPort && protocol(a.Protocol) == protocol(b.Protocol) &&
		(a.HostIP == b.HostIP || all(a.HostIP) || all(b.HostIP))
}
