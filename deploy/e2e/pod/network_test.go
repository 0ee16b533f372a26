package pod

import (
	"fmt"
	"os"
	osexec "os/exec"
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
		"sub":      {"  hostname: other\n  subdomain: sub", "other", "other" + domain},
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

// TestHostsFile: the pod's own address and aliases, and nothing of the host's, in every
// container; written anew with the address of a new sandbox.
func TestHostsFile(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	const aliases = `  hostAliases: [{ip: 192.0.2.7, hostnames: [seal, sea.lion]}]`
	apply(t, ns, two("hosts", aliases+"\n  hostname: h\n  subdomain: s"))
	want := func(p *v1.Pod) string {
		return "fe00::2\tip6-allrouters\n" + p.Status.PodIP + "\th.s." + ns + ".svc.cluster.local\th\n\n# Entries added by HostAliases.\n192.0.2.7\tseal\tsea.lion\n"
	}
	p := running(t, ns, "hosts")
	for _, c := range []string{"main", "other"} {
		if got := rig.Skerry(t, "", "exec", "-n", ns, "-c", c, "hosts", "--", "cat", "/etc/hosts"); !strings.HasPrefix(got, "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n") || !strings.HasSuffix(got, want(p)) {
			t.Errorf("%s has\n%s", c, got)
		}
	}
	if _, err := rig.Hosts[0].Podman("pod", "rm", "-f", podOf(t, p)); err != nil {
		t.Fatal(err)
	}
	await(t, ns, "hosts", "runs again", func(p *v1.Pod) bool {
		s := p.Status.ContainerStatuses
		return len(s) == 2 && s[0].RestartCount > 0 && s[1].RestartCount > 0 && s[0].Ready && s[1].Ready
	})
	p = running(t, ns, "hosts")
	if got := exec(t, ns, "hosts", "cat", "/etc/hosts"); !strings.HasSuffix(got, want(p)) {
		t.Errorf("with address %s it has\n%s", p.Status.PodIP, got)
	}
	own, err := os.ReadFile("/etc/hosts")
	if err != nil {
		t.Fatal(err)
	}
	out := inside(t, ns, "net", "cat /etc/hosts", "  hostNetwork: true\n"+aliases, "")
	if want := "# Kubernetes-managed hosts file (host network).\n" + string(own); !strings.HasPrefix(out, want) || !strings.HasSuffix(out, "192.0.2.7\tseal\tsea.lion") {
		t.Errorf("on the host's network it has\n%s", out)
	}
}

// podOf is the name of the pod's sandbox.
func podOf(t *testing.T, p *v1.Pod) string {
	t.Helper()
	out, err := rig.Hosts[0].Podman("inspect", "--format", "{{.Pod}}", containerID(p))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

// TestResolverFile: how containers resolve names, by policy and configuration.
func TestResolverFile(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	host, err := os.ReadFile("/etc/resolv.conf")
	if err != nil {
		t.Fatal(err)
	}
	server := "nameserver"
	for line := range strings.Lines(string(host)) {
		if strings.HasPrefix(line, "nameserver") {
			server = strings.TrimSpace(line)
			break
		}
	}
	for name, c := range map[string]struct{ spec, want string }{
		"usual":   {"", server},
		"default": {"  dnsPolicy: Default", server},
		"host":    {"  dnsPolicy: ClusterFirstWithHostNet\n  hostNetwork: true", server},
		"none": {"  dnsPolicy: None\n  dnsConfig: {nameservers: [192.0.2.53], searches: [a.b, c], options: [{name: ndots, value: \"2\"}, {name: edns0}]}",
			"search a.b c\nnameserver 192.0.2.53\noptions ndots:2 edns0"},
		"more": {"  dnsPolicy: Default\n  dnsConfig: {nameservers: [192.0.2.54], searches: [x.y]}", "nameserver 192.0.2.54"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := inside(t, ns, name, "cat /etc/resolv.conf", c.spec, ""); !strings.Contains(got, c.want) || name == "none" && got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
	apply(t, ns, script("event", "true", "", ""))
	said(t, ns, "event", "Started")
	if out := rig.Skerry(t, "", "events", "-n", ns); strings.Contains(out, "MissingClusterDNS") {
		t.Errorf("it is told of each pod:\n%s", out)
	}
	rig.Eventually(t, "an event of the node", func() error {
		if out := rig.Skerry(t, "", "events", "-n", "default", "--for", "node/h1"); !strings.Contains(out, "MissingClusterDNS") {
			return fmt.Errorf("events are\n%s", out)
		}
		return nil
	})
}

// TestBadNames: the error for each kind of bad value.
func TestBadNames(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	for spec, want := range map[string]string{
		"hostAliases: [{ip: nowhere, hostnames: [a]}]":                                           "spec.hostAliases[0].ip",
		"hostAliases: [{ip: 192.0.2.1, hostnames: [a_b]}]":                                       "spec.hostAliases[0].hostnames[0]",
		"dnsPolicy: Sometimes":                                                                   "spec.dnsPolicy",
		"dnsPolicy: None":                                                                        "must provide `dnsConfig` when `dnsPolicy` is None",
		"dnsConfig: {nameservers: [a]}":                                                          "spec.dnsConfig.nameservers[0]",
		"dnsConfig: {nameservers: [192.0.2.1, 192.0.2.2, 192.0.2.3, 192.0.2.4]}":                 "must not have more than 3 nameservers",
		"dnsConfig: {searches: [\"a b\"]}":                                                       "spec.dnsConfig.searches[0]",
		"hostname: A_B":                                                                          "spec.hostname",
		"subdomain: a.b":                                                                         "spec.subdomain",
		"hostnameOverride: a, hostNetwork: true":                                                 "spec.hostnameOverride",
		"hostPID: true, shareProcessNamespace: true":                                             "ShareProcessNamespace and HostPID cannot both be enabled",
		"hostUsers: false, hostNetwork: true":                                                    "spec.hostNetwork",
		"runtimeClassName: A":                                                                    "spec.runtimeClassName",
		"os: {name: plan9}":                                                                      "spec.os",
		"securityContext: {runAsUser: -1}":                                                       "spec.securityContext.runAsUser",
		"securityContext: {fsGroup: 99999999999}":                                                "spec.securityContext.fsGroup",
		"securityContext: {supplementalGroupsPolicy: Some}":                                      "spec.securityContext.supplementalGroupsPolicy",
		"securityContext: {seccompProfile: {type: Localhost}}":                                   "spec.securityContext.seccompProfile.localhostProfile",
		"securityContext: {seccompProfile: {type: Localhost, localhostProfile: ../x}}":           "must not contain '..'",
		"securityContext: {appArmorProfile: {type: Some}}":                                       "spec.securityContext.appArmorProfile.type",
		"securityContext: {sysctls: [{name: \"a b\", value: x}]}":                                "spec.securityContext.sysctls[0].name",
		"securityContext: {sysctls: [{name: net.ipv4.tcp_rmem, value: x}], }, hostNetwork: true": "may not be specified when 'hostNetwork' is true",
		"securityContext: {windowsOptions: {runAsUserName: x}}":                                  "there are no Windows nodes",
		"containers: [{name: a, image: a, securityContext: {procMount: Unmasked}}]":              "`hostUsers` must be false to use `Unmasked`",
		"containers: [{name: a, image: a, securityContext: {privileged: true, allowPrivilegeEscalation: false}}]": "cannot set `allowPrivilegeEscalation` to false and `privileged` to true",
	} {
		if !strings.Contains(spec, "containers:") {
			spec += ", containers: [{name: a, image: a}]"
		}
		if out := refused(t, ns, "apiVersion: v1\nkind: Pod\nmetadata: {name: bad}\nspec: {"+spec+"}\n"); !strings.Contains(out, want) {
			t.Errorf("%s: said %s, want %s", spec, out, want)
		}
	}
}

// TestGatewayKeepsItsAddress: a bridge whose hardware address nobody set takes that of
// one of its pods, and another when that pod goes; the others then lose their gateway.
func TestGatewayKeepsItsAddress(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	apply(t, ns, script("p", "sleep 1000", "", ""))
	running(t, ns, "p")
	h := rig.Hosts[0]
	// sysfs shows the interfaces of the namespace that it was mounted in.
	out, err := osexec.Command("nsenter", "--net=/run/netns/"+h.Netns(), "unshare", "--mount", "sh", "-c",
		"mount -t sysfs sysfs /sys && cat /sys/class/net/skerry0/addr_assign_type").CombinedOutput()
	if got := strings.TrimSpace(string(out)); err != nil || got != "3" { // NET_ADDR_SET
		t.Errorf("addr_assign_type of the pods' bridge = %q, %v, want 3", got, err)
	}
}
