package pod

import (
	"testing"

	v1 "k8s.io/api/core/v1"
)

func TestReject(t *testing.T) {
	sysctl := func(names ...string) v1.PodSpec {
		s := v1.PodSpec{SecurityContext: &v1.PodSecurityContext{}}
		for _, n := range names {
			s.SecurityContext.Sysctls = append(s.SecurityContext.Sysctls, v1.Sysctl{Name: n, Value: "1"})
		}
		return s
	}
	with := func(s v1.PodSpec, change func(*v1.PodSpec)) v1.PodSpec { change(&s); return s }
	armour := func(kind v1.AppArmorProfileType) *v1.AppArmorProfile { return &v1.AppArmorProfile{Type: kind} }
	in := func(a *v1.AppArmorProfile) []v1.Container {
		return []v1.Container{{Name: "a"}, {Name: "b", SecurityContext: &v1.SecurityContext{AppArmorProfile: a}}}
	}
	unsafe := Settings{UnsafeSysctls: []string{"net.core.*", "kernel/msgmax"}}
	for name, c := range map[string]struct {
		spec    v1.PodSpec
		set     Settings
		reason  string
		message string
	}{
		"nothing":      {v1.PodSpec{}, Settings{}, "", ""},
		"safe":         {sysctl("kernel.shm_rmid_forced", "net/ipv4/tcp_rmem"), Settings{}, "", ""},
		"unsafe":       {sysctl("net.ipv4.tcp_syncookies", "net.core.somaxconn"), Settings{}, "SysctlForbidden", `Pod was rejected: forbidden sysctl: "net.core.somaxconn" not allowlisted`},
		"allowed":      {sysctl("net.core.somaxconn", "kernel.msgmax"), unsafe, "", ""},
		"not this one": {sysctl("net.corex"), unsafe, "SysctlForbidden", `Pod was rejected: forbidden sysctl: "net.corex" not allowlisted`},
		"host network": {with(sysctl("net.core.somaxconn"), func(s *v1.PodSpec) { s.HostNetwork = true }), unsafe, "SysctlForbidden", `Pod was rejected: forbidden sysctl: "net.core.somaxconn" not allowed with host net enabled`},
		"host ipc":     {with(sysctl("kernel.msgmax"), func(s *v1.PodSpec) { s.HostIPC = true }), unsafe, "SysctlForbidden", `Pod was rejected: forbidden sysctl: "kernel.msgmax" not allowed with host ipc enabled`},
		"linux":        {v1.PodSpec{OS: &v1.PodOS{Name: v1.Linux}}, Settings{}, "", ""},
		"windows":      {v1.PodSpec{OS: &v1.PodOS{Name: v1.Windows}}, Settings{}, "PodOSNotSupported", "Pod was rejected: Failed to admit pod as the OS field doesn't match node OS"},
		"armour":       {v1.PodSpec{SecurityContext: &v1.PodSecurityContext{AppArmorProfile: armour(v1.AppArmorProfileTypeRuntimeDefault)}}, Settings{}, "AppArmor", "Pod was rejected: Cannot enforce AppArmor: AppArmor is not enabled on the host"},
		"armoured":     {v1.PodSpec{Containers: in(armour(v1.AppArmorProfileTypeLocalhost))}, Settings{}, "AppArmor", "Pod was rejected: Cannot enforce AppArmor: AppArmor is not enabled on the host"},
		"has armour":   {v1.PodSpec{Containers: in(armour(v1.AppArmorProfileTypeLocalhost))}, Settings{AppArmor: true}, "", ""},
		"no armour":    {v1.PodSpec{Containers: in(armour(v1.AppArmorProfileTypeUnconfined))}, Settings{}, "", ""},
	} {
		got := Reject(&v1.Pod{Spec: c.spec}, c.set)
		switch {
		case got == nil && c.reason != "":
			t.Errorf("%s: taken", name)
		case got != nil && (got.Reason != c.reason || got.Message != c.message):
			t.Errorf("%s: got %s %q, want %s %q", name, got.Reason, got.Message, c.reason, c.message)
		}
	}
}

func TestUnsafeSysctlsAreOfNamespaces(t *testing.T) {
	for pattern, ok := range map[string]bool{
		"net.*": true, "net.core.somaxconn": true, "kernel.msg*": true, "fs.mqueue.msg_max": true, "kernel.sem": true, "net/core/*": true,
		"kernel.*": false, "vm.swappiness": false, "*": false, "kernel.semx": false,
	} {
		if err := CheckSysctls([]string{pattern}); (err == nil) != ok {
			t.Errorf("%s: %v", pattern, err)
		}
	}
}

func TestDotted(t *testing.T) {
	for in, want := range map[string]string{
		"net.ipv4.x": "net.ipv4.x", "net/ipv4/x": "net.ipv4.x", "net/ipv4/conf/eth0.1/x": "net.ipv4.conf.eth0/1.x",
		"net.ipv4.conf.eth0/1.x": "net.ipv4.conf.eth0/1.x", "x": "x",
	} {
		if got := dotted(in); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}
