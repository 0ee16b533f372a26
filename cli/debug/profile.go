package debug

import (
	corev1 "k8s.io/api/core/v1"
)

// securityOf is what a profile gives the new container; nil is what the pod gives.
func securityOf(profile string) *corev1.SecurityContext {
	yes, no := true, false
	switch profile {
	case "general":
		return &corev1.SecurityContext{Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"SYS_PTRACE"}}}
	case "restricted":
		return &corev1.SecurityContext{
			RunAsNonRoot: &yes, AllowPrivilegeEscalation: &no,
			Capabilities:   &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		}
	case "netadmin":
		return &corev1.SecurityContext{Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"NET_ADMIN", "NET_RAW"}}}
	case "sysadmin":
		return &corev1.SecurityContext{Privileged: &yes}
	}
	return nil
}
