package pod

import (
	"fmt"
	"os"
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
)

// two is a pod of two containers that sleep, with further lines of its spec.
func two(name, spec string) string {
	return script(name, "sleep 1000", spec, "") + strings.Replace(`  - name: other
    image: IMAGE
    imagePullPolicy: Never
    command: [/bin/sh, -c, "sleep 1001"]
`, "IMAGE", "localhost/skerry-test:1", 1)
}

// TestSharedNamespaces: what a pod's containers see of each other and of the host.
func TestSharedNamespaces(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	for name, c := range map[string]struct {
		spec                                   string
		others, hostPID, hostIPC, hostNet, uts bool
	}{
		"own":     {"", false, false, false, false, false},
		"shared":  {"  shareProcessNamespace: true", true, false, false, false, false},
		"pid":     {"  hostPID: true", true, true, false, false, false},
		"ipc":     {"  hostIPC: true", false, false, true, false, false},
		"network": {"  hostNetwork: true", false, false, false, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			apply(t, ns, two(name, c.spec))
			running(t, ns, name)
			out := exec(t, ns, name, "/bin/sh", "-c", "ps; readlink /proc/self/ns/pid /proc/self/ns/ipc; readlink /proc/self/ns/ipc; readlink /proc/self/ns/pid")
			for what, c := range map[string]struct {
				text string
				want bool
			}{
				"the other container": {"sleep 1001", c.others},
				"the host's PIDs":     {link(t, "pid"), c.hostPID},
				"the host's IPC":      {link(t, "ipc"), c.hostIPC},
			} {
				if got := strings.Contains(out, c.text); got != c.want {
					t.Errorf("%s: sees %s: %v, want %v in\n%s", name, what, got, c.want, out)
				}
			}
		})
	}
}

// link is the host's own namespace of a kind.
func link(t *testing.T, kind string) string {
	t.Helper()
	l, err := os.Readlink("/proc/self/ns/" + kind)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestOwnUsers: root in the pod is nobody on the host, and two pods share no ids.
func TestOwnUsers(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	seen := map[string]bool{}
	for _, name := range []string{"one", "two"} {
		apply(t, ns, script(name, "sleep 1000", "  hostUsers: false", "    securityContext: {procMount: Unmasked}"))
		running(t, ns, name)
		out := exec(t, ns, name, "/bin/sh", "-c", "cat /proc/self/uid_map /proc/self/gid_map; id; touch /x && ls -ln /x; mount | grep -c '/proc/'; true")
		lines := strings.Split(out, "\n")
		f := strings.Fields(lines[0])
		if len(f) != 3 || f[0] != "0" || f[1] == "0" || f[2] != "65536" || lines[0] != lines[1] || seen[f[1]] {
			t.Errorf("ids of %s are mapped as\n%s", name, out)
		}
		seen[f[1]] = true
		if !strings.Contains(out, "uid=0(root)") || !strings.HasSuffix(out, "\n0\n") {
			t.Errorf("inside it is\n%s", out)
		}
	}
}

// TestSysctls: safe ones are set in the pod's namespaces, others are refused by the node.
func TestSysctls(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	out := inside(t, ns, "safe", "cd /proc/sys; cat kernel/shm_rmid_forced net/ipv4/ip_local_port_range net/ipv4/ip_unprivileged_port_start net/ipv4/ping_group_range",
		`  securityContext: {sysctls: [{name: kernel.shm_rmid_forced, value: "1"}, {name: net/ipv4/ip_local_port_range, value: "4000 5000"}]}`, "")
	if want := "1\n4000\t5000\n0\n0\t2147483647"; out != want {
		t.Errorf("got  %q\nwant %q", out, want)
	}
}

// TestNodeRejects: what this host does not do, it says at once, and the pod fails.
func TestNodeRejects(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	for name, c := range map[string]struct{ spec, reason, message string }{
		"sysctl":   {"securityContext: {sysctls: [{name: net.core.somaxconn, value: \"1024\"}]}", "SysctlForbidden", `forbidden sysctl: "net.core.somaxconn" not allowlisted`},
		"apparmor": {"securityContext: {appArmorProfile: {type: RuntimeDefault}}", "AppArmor", "AppArmor is not enabled on the host"},
		"windows":  {"os: {name: windows}", "PodOSNotSupported", "doesn't match node OS"},
	} {
		if _, err := os.Stat("/sys/module/apparmor"); name == "apparmor" && err == nil {
			continue // this host has it
		}
		apply(t, ns, script(name, "true", "  "+c.spec, ""))
		if p := ended(t, ns, name); p.Status.Phase != v1.PodFailed || p.Status.Reason != c.reason || !strings.Contains(p.Status.Message, c.message) {
			t.Errorf("%s: status %+v", name, p.Status)
		}
		said(t, ns, name, c.reason)
	}
}

// TestHostNames: what a container calls itself, with and without its domain.
func TestHostNames(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	long := strings.Repeat("x", 70)
	domain := ".sub." + ns + ".svc.cluster.local"
	for name, c := range map[string]struct{ spec, host, fqdn string }{
		"plain":    {"", "plain", "plain"},
		"named":    {"  hostname: other", "other", "other"},
		"fqdn":     {"  subdomain: sub\n  setHostnameAsFQDN: true", "fqdn" + domain, "fqdn" + domain},
		"override": {"  hostname: other\n  subdomain: sub\n  hostnameOverride: my.own.name", "my.own.name", "my.own.name"},
		long:       {"", long[:63], long[:63]},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, want := inside(t, ns, name, "hostname; hostname -f", c.spec, ""), fmt.Sprint(c.host, "\n", c.fqdn); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
	apply(t, ns, script("toolong", "true", "  subdomain: "+strings.Repeat("s", 40)+"\n  setHostnameAsFQDN: true", ""))
	said(t, ns, "toolong", "is too long (64 characters is the max")
}

// said waits for an event of the pod that says word.
func said(t *testing.T, ns, name, word string) {
	t.Helper()
	rig.Eventually(t, name+": an event that says "+word, func() error {
		if out := rig.Skerry(t, "", "events", "-n", ns, "--for", "pod/"+name); !strings.Contains(out, word) {
			return fmt.Errorf("events are\n%s", out)
		}
		return nil
	})
}

// TestRuntimeClass: the class chooses the OCI runtime and tells what it costs; one
// that is not there is refused.
func TestRuntimeClass(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	if out := refused(t, ns, script("unknown", "true", "  runtimeClassName: none", "")); !strings.Contains(out, `RuntimeClass "none" not found`) {
		t.Errorf("said %s", out)
	}
	apply(t, ns, `apiVersion: node.k8s.io/v1
kind: RuntimeClass
metadata: {name: `+ns+`}
handler: runc
overhead: {podFixed: {cpu: 10m, memory: 8Mi}}
scheduling: {nodeSelector: {kubernetes.io/os: linux}}
`)
	defer rig.Skerry(t, "", "delete", "runtimeclass", ns)
	apply(t, ns, script("class", "sleep 1000", "  runtimeClassName: "+ns, ""))
	p := running(t, ns, "class")
	if p.Spec.Overhead.Memory().String() != "8Mi" || p.Spec.NodeSelector["kubernetes.io/os"] != "linux" {
		t.Errorf("spec %+v", p.Spec)
	}
	out, err := rig.Hosts[0].Podman("inspect", "--format", "{{.OCIRuntime}}", containerID(p))
	if err != nil || out != "runc\n" {
		t.Errorf("podman says %q, %v", out, err)
	}
	if out := refused(t, ns, script("overhead", "true", "  runtimeClassName: "+ns+"\n  overhead: {cpu: 20m}", "")); !strings.Contains(out, "doesn't match RuntimeClass's defined Overhead") {
		t.Errorf("said %s", out)
	}
	apply(t, ns, strings.NewReplacer("NAME", ns+"-odd").Replace("apiVersion: node.k8s.io/v1\nkind: RuntimeClass\nmetadata: {name: NAME}\nhandler: odd\n"))
	defer rig.Skerry(t, "", "delete", "runtimeclass", ns+"-odd")
	apply(t, ns, script("odd", "true", "  runtimeClassName: "+ns+"-odd", ""))
	said(t, ns, "odd", `no runtime for "odd" is configured`)
}

// containerID is the runtime's id of the pod's first container.
func containerID(p *v1.Pod) string {
	_, id, _ := strings.Cut(p.Status.ContainerStatuses[0].ContainerID, "://")
	return id
}
