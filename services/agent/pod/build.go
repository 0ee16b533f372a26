package pod

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"

	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/agent/member"
	"github.com/skerry/skerry/services/agent/sandbox"
)

// Hash is of the fields of a container that cannot change under a running one.
// Fields that a later version honours must not change it: an upgrade of the agent restarts nothing.
func Hash(c *v1.Container) string {
	sum := sha256.Sum256([]byte(c.Name + "\x00" + c.Image))
	return hex.EncodeToString(sum[:8])
}

// KeyOf is the pod's key.
func KeyOf(p *v1.Pod) sandbox.Key {
	return sandbox.Key{Namespace: schemas.Namespace(p.Namespace), Name: schemas.Name(p.Name)}
}

// SandboxSpec is the sandbox of a pod on node, attached to network.
func SandboxSpec(p *v1.Pod, node schemas.NodeName, network string) sandbox.Spec {
	s := sandbox.Spec{
		Key: KeyOf(p), UID: p.UID, Grace: GraceOf(p),
		Hostname: cutLabel(string(node)), HostNetwork: p.Spec.HostNetwork, Network: network,
		Resources: PodLimits(p), Alone: alone(p),
	}
	if s.HostNetwork {
		return s
	}
	for _, c := range member.All(p) {
		for _, port := range c.Ports {
			if port.HostPort == 0 {
				continue
			}
			s.Ports = append(s.Ports, sandbox.Port{
				HostIP: port.HostIP, Host: uint16(port.HostPort),
				Container: uint16(port.ContainerPort), Protocol: protocol(port.Protocol),
			})
		}
	}
	return s
}

// alone tells whether a pod's one container shares nothing with others but, later, with those
// that are added to look into it, and has nothing but a network of its own.
func alone(p *v1.Pod) bool {
	s := &p.Spec
	if len(s.Containers) != 1 || len(s.InitContainers) > 0 || s.HostNetwork || s.HostPID || s.HostIPC || is(s.ShareProcessNamespace) {
		return false
	}
	if s.HostUsers != nil && !*s.HostUsers || s.Resources != nil || len(s.Overhead) > 0 {
		return false
	}
	if s.SecurityContext != nil && len(s.SecurityContext.Sysctls) > 0 {
		return false
	}
	return !slices.ContainsFunc(s.Containers[0].Ports, func(p v1.ContainerPort) bool { return p.HostPort != 0 })
}

func protocol(p v1.Protocol) string {
	switch p {
	case v1.ProtocolUDP:
		return "udp"
	case v1.ProtocolSCTP:
		return "sctp"
	}
	return "tcp"
}
