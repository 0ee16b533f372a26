package validate_test

import (
	"testing"

	v1 "k8s.io/api/core/v1"
)

func TestSecurity(t *testing.T) {
	at := func(part string) string { return appAt(".securityContext" + part) }
	set := func(s v1.SecurityContext) func(*v1.Pod) {
		return func(p *v1.Pod) { app(p).SecurityContext = &s }
	}
	runPods(t, []podCase{
		{"ids", set(v1.SecurityContext{RunAsUser: new(int64(-1)), RunAsGroup: new(int64(1 << 31))}),
			[]fault{{invalid, at(".runAsUser"), "between 0 and 2147483647"}, {invalid, at(".runAsGroup"), "between 0 and"}}},
		{"procMount", set(v1.SecurityContext{ProcMount: new(v1.ProcMountType("x"))}), one(unsupported, at(".procMount"), `"Default", "Unmasked"`)},
		{"unmasked", set(v1.SecurityContext{ProcMount: new(v1.UnmaskedProcMount)}), one(invalid, at(".procMount"), "`hostUsers` must be false")},
		{"privileged", set(v1.SecurityContext{AllowPrivilegeEscalation: new(false), Privileged: new(true)}),
			one(invalid, at(".allowPrivilegeEscalation"), "`privileged` to true")},
		{"sys admin", set(v1.SecurityContext{AllowPrivilegeEscalation: new(false), Capabilities: &v1.Capabilities{Add: []v1.Capability{"CAP_SYS_ADMIN"}}}),
			one(invalid, at(".allowPrivilegeEscalation"), "CAP_SYS_ADMIN")},
		{"seccomp", set(v1.SecurityContext{SeccompProfile: &v1.SeccompProfile{Type: "x", LocalhostProfile: new("p")}}),
			[]fault{{unsupported, at(".seccompProfile.type"), "RuntimeDefault"}, {invalid, at(".seccompProfile.localhostProfile"), "only be set when"}}},
		{"seccomp local", set(v1.SecurityContext{SeccompProfile: &v1.SeccompProfile{Type: v1.SeccompProfileTypeLocalhost}}),
			one(required, at(".seccompProfile.localhostProfile"), "must be set")},
		{"seccomp path", set(v1.SecurityContext{SeccompProfile: &v1.SeccompProfile{Type: v1.SeccompProfileTypeLocalhost, LocalhostProfile: new("../p")}}),
			one(invalid, at(".seccompProfile.localhostProfile"), "'..'")},
		{"appArmor", set(v1.SecurityContext{AppArmorProfile: &v1.AppArmorProfile{}}), one(required, at(".appArmorProfile.type"), "")},
		{"appArmor padded", set(v1.SecurityContext{AppArmorProfile: &v1.AppArmorProfile{Type: v1.AppArmorProfileTypeLocalhost, LocalhostProfile: new(" p")}}),
			one(invalid, at(".appArmorProfile.localhostProfile"), "padded")},
		{"appArmor blank", set(v1.SecurityContext{AppArmorProfile: &v1.AppArmorProfile{Type: v1.AppArmorProfileTypeLocalhost, LocalhostProfile: new(" ")}}),
			one(required, at(".appArmorProfile.localhostProfile"), "must be set")},
	})
}

func TestPodSecurity(t *testing.T) {
	at := func(part string) string { return appAt(".securityContext" + part) }
	pod := func(s v1.PodSecurityContext) func(*v1.Pod) {
		return func(p *v1.Pod) { p.Spec.SecurityContext = &s }
	}
	runPods(t, []podCase{
		{"pod", pod(v1.PodSecurityContext{FSGroup: new(int64(-1)), SupplementalGroups: []int64{1, -1},
			FSGroupChangePolicy: new(v1.PodFSGroupChangePolicy("x")), SupplementalGroupsPolicy: new(v1.SupplementalGroupsPolicy("x")),
			SELinuxChangePolicy: new(v1.PodSELinuxChangePolicy("x"))}), []fault{
			{invalid, "spec.securityContext.fsGroup", "between 0"}, {invalid, "spec.securityContext.supplementalGroups[1]", "between 0"},
			{unsupported, "spec.securityContext.fsGroupChangePolicy", "OnRootMismatch"}, {unsupported, "spec.securityContext.supplementalGroupsPolicy", "Merge"},
			{unsupported, "spec.securityContext.seLinuxChangePolicy", "MountOption"},
		}},
		{"sysctls", func(p *v1.Pod) {
			p.Spec.HostIPC = true
			p.Spec.SecurityContext.Sysctls = []v1.Sysctl{{}, {Name: "a b"}, {Name: "net.core.x"}, {Name: "net.core.x"}, {Name: "kernel.shmmax"}}
		}, []fault{
			{required, "spec.securityContext.sysctls[0].name", ""}, {invalid, "spec.securityContext.sysctls[1].name", "regex"},
			{duplicate, "spec.securityContext.sysctls[3].name", "net.core.x"}, {invalid, "spec.securityContext.sysctls[4].name", "hostIPC"},
		}},
		{"sysctl of host", func(p *v1.Pod) {
			p.Spec.HostNetwork, app(p).Ports = true, nil
			p.Spec.SecurityContext.Sysctls = []v1.Sysctl{{Name: "net/core/x"}}
		}, one(invalid, "spec.securityContext.sysctls[0].name", "hostNetwork")},
		{"shared processes", func(p *v1.Pod) { p.Spec.HostPID, p.Spec.ShareProcessNamespace = true, new(true) },
			one(invalid, "spec.shareProcessNamespace", "HostPID")},
		{"own users", func(p *v1.Pod) {
			p.Spec.HostUsers, p.Spec.HostPID, p.Spec.HostIPC, p.Spec.HostNetwork, app(p).Ports = new(false), true, true, true, nil
		}, []fault{{forbidden, "spec.hostPID", "hostUsers"}, {forbidden, "spec.hostIPC", "hostUsers"}, {forbidden, "spec.hostNetwork", "hostUsers"}}},
		{"os", func(p *v1.Pod) { p.Spec.OS = &v1.PodOS{Name: "plan9"} }, one(unsupported, "spec.os", `"linux", "windows"`)},
		{"linux", func(p *v1.Pod) {
			p.Spec.OS = &v1.PodOS{Name: v1.Linux}
			app(p).SecurityContext = &v1.SecurityContext{WindowsOptions: &v1.WindowsSecurityContextOptions{}}
		}, one(forbidden, at(".windowsOptions"), "linux pod")},
		{"windows options", func(p *v1.Pod) {
			p.Spec.SecurityContext.WindowsOptions = &v1.WindowsSecurityContextOptions{}
		}, one(forbidden, "spec.securityContext.windowsOptions", "no Windows nodes")},
		{"windows options of a windows pod", func(p *v1.Pod) {
			p.Spec.OS, p.Spec.SecurityContext = &v1.PodOS{Name: v1.Windows}, nil
			app(p).SecurityContext = &v1.SecurityContext{WindowsOptions: &v1.WindowsSecurityContextOptions{}}
		}, one(forbidden, at(".windowsOptions"), "no Windows nodes")},
		{"windows", func(p *v1.Pod) {
			p.Spec.OS, p.Spec.HostPID = &v1.PodOS{Name: v1.Windows}, true
			p.Spec.SecurityContext.FSGroup = new(int64(1))
			app(p).SecurityContext = &v1.SecurityContext{Privileged: new(true)}
		}, []fault{{forbidden, "spec.hostPID", "windows pod"}, {forbidden, "spec.securityContext.fsGroup", "windows pod"}, {forbidden, at(".privileged"), "windows pod"}}},
	})
}
