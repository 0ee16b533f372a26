package pod

import (
	"fmt"
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/services/agent/member"
)

// Reject tells why this host does not take the pod, nil if it does: Kubernetes' node
// has the same checks. A pod that runs already is not asked again.
func Reject(p *v1.Pod, s Settings) *Eviction {
	reject := func(reason, message string) *Eviction {
		return &Eviction{UID: p.UID, Reason: reason, Message: Rejected + message}
	}
	if p.Spec.OS != nil && p.Spec.OS.Name != v1.Linux {
		return reject("PodOSNotSupported", "Failed to admit pod as the OS field doesn't match node OS")
	}
	if !s.AppArmor && wantsAppArmor(p) {
		return reject("AppArmor", "Cannot enforce AppArmor: AppArmor is not enabled on the host")
	}
	if p.Spec.SecurityContext == nil {
		return nil
	}
	for _, one := range p.Spec.SecurityContext.Sysctls {
		name := dotted(one.Name)
		isolation := isolates(name)
		switch {
		case !safe[name] && !slices.ContainsFunc(s.UnsafeSysctls, func(pattern string) bool { return covers(dotted(pattern), name) }):
			return reject("SysctlForbidden", fmt.Sprintf("forbidden sysctl: %q not allowlisted", one.Name))
		case p.Spec.HostNetwork && isolation == "net":
			return reject("SysctlForbidden", fmt.Sprintf("forbidden sysctl: %q not allowed with host net enabled", one.Name))
		case p.Spec.HostIPC && isolation == "ipc":
			return reject("SysctlForbidden", fmt.Sprintf("forbidden sysctl: %q not allowed with host ipc enabled", one.Name))
		}
	}
	return nil
}

// safe are the kernel parameters that every pod may set: those of Kubernetes 1.37.
// https://kubernetes.io/docs/tasks/administer-cluster/sysctl-cluster/#safe-and-unsafe-sysctls
var safe = map[string]bool{
	"kernel.shm_rmid_forced":              true,
	"net.ipv4.ip_local_port_range":        true,
	"net.ipv4.tcp_syncookies":             true,
	"net.ipv4.ping_group_range":           true,
	"net.ipv4.ip_unprivileged_port_start": true,
	"net.ipv4.ip_local_reserved_ports":    true,
	"net.ipv4.tcp_keepalive_time":         true,
	"net.ipv4.tcp_fin_timeout":            true,
	"net.ipv4.tcp_keepalive_intvl":        true,
	"net.ipv4.tcp_keepalive_probes":       true,
	"net.ipv4.tcp_rmem":                   true,
	"net.ipv4.tcp_wmem":                   true,
}

// covers tells whether pattern is name or, with a * at its end, begins it.
func covers(pattern, name string) bool {
	prefix, group := strings.CutSuffix(pattern, "*")
	return pattern == name || group && strings.HasPrefix(name, prefix)
}

// isolates is the namespace that a kernel parameter is of; "" if it is the whole host's.
func isolates(name string) string {
	switch {
	case strings.HasPrefix(name, "net."):
		return "net"
	case strings.HasPrefix(name, "kernel.shm"), strings.HasPrefix(name, "kernel.msg"), name == "kernel.sem", strings.HasPrefix(name, "fs.mqueue."):
		return "ipc"
	}
	return ""
}

// CheckSysctls checks the patterns of unsafe kernel parameters that a host allows: one
// that is not of a namespace would be the whole host's.
func CheckSysctls(patterns []string) error {
	for _, p := range patterns {
		if isolates(strings.TrimSuffix(dotted(p), "*")) == "" {
			return fmt.Errorf("the sysctls %q are not known to be namespaced: allow those of net., kernel.shm, kernel.msg, kernel.sem or fs.mqueue.", p)
		}
	}
	return nil
}

// wantsAppArmor tells whether a profile of the pod needs the host to have AppArmor.
func wantsAppArmor(p *v1.Pod) bool {
	needs := func(a *v1.AppArmorProfile) bool { return a != nil && a.Type != v1.AppArmorProfileTypeUnconfined }
	if s := p.Spec.SecurityContext; s != nil && needs(s.AppArmorProfile) {
		return true
	}
	return slices.ContainsFunc(member.All(p), func(c member.Container) bool {
		return c.SecurityContext != nil && needs(c.SecurityContext.AppArmorProfile)
	})
}
