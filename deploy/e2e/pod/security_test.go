package pod

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
)

// inside runs sh in a pod and returns what it printed when the pod has ended.
func inside(t *testing.T, ns, name, sh, spec, container string) string {
	t.Helper()
	apply(t, ns, script(name, sh, "  restartPolicy: Never\n"+spec, container))
	if p := ended(t, ns, name); p.Status.Phase != v1.PodSucceeded {
		t.Errorf("%s: status %+v", name, p.Status)
	}
	return strings.TrimSpace(logs(t, ns, name))
}

// TestUsersAndGroups: the ids of a container's process, for every way to ask for them.
func TestUsersAndGroups(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	for name, c := range map[string]struct{ pod, container, want string }{
		"none":        {"", "", "uid=0(root) gid=0(root)"},
		"user":        {"runAsUser: 1001", "", "uid=1001(app) gid=1002(app) groups=1002(app),5000(extra)"},
		"overridden":  {"runAsUser: 5", "runAsUser: 1001", "uid=1001(app) gid=1002(app) groups=1002(app),5000(extra)"},
		"stranger":    {"runAsUser: 4242", "", "uid=4242 gid=0(root) groups=0(root)"},
		"group":       {"runAsUser: 1001, runAsGroup: 7", "", "uid=1001(app) gid=7 groups=7,5000(extra)"},
		"own group":   {"runAsGroup: 9", "runAsGroup: 7", "uid=0(root) gid=7 groups=7"},
		"groups":      {"runAsUser: 4242, supplementalGroups: [61, 62], fsGroup: 63", "", "uid=4242 gid=0(root) groups=0(root),61,62,63"},
		"strict":      {"runAsUser: 1001, supplementalGroups: [61], supplementalGroupsPolicy: Strict", "", "uid=1001(app) gid=1002(app) groups=61,1002(app)"},
		"strict pair": {"runAsUser: 1001, runAsGroup: 7, supplementalGroupsPolicy: Strict", "", "uid=1001(app) gid=7 groups=7"},
		"merge":       {"runAsUser: 1001, runAsGroup: 1002, supplementalGroups: [61]", "", "uid=1001(app) gid=1002(app) groups=61,1002(app),5000(extra)"},
		"nonroot":     {"runAsUser: 1001, runAsNonRoot: true", "", "uid=1001(app) gid=1002(app) groups=1002(app),5000(extra)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := inside(t, ns, strings.ReplaceAll(name, " ", "-"), "id", "  securityContext: {"+c.pod+"}", "    securityContext: {"+c.container+"}")
			if sorted(got) != sorted(c.want) {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

var invented = regexp.MustCompile(`(\d+)\(\d+\)`)

// sorted puts the groups of a line of id in an order: the runtime has none.
func sorted(line string) string {
	// Podman gives ids without a name one that is the number.
	line = invented.ReplaceAllString(line, "$1")
	head, groups, ok := strings.Cut(line, " groups=")
	if !ok {
		return head
	}
	seen := map[string]bool{}
	for _, g := range strings.Split(groups, ",") {
		seen[g] = true
	}
	return fmt.Sprint(head, seen) // maps print in the order of their keys
}

// TestPrivileges: what the kernel says that a container's process may do.
func TestPrivileges(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	const usual, none = "00000000a80425fb", "0000000000000000"
	for name, c := range map[string]struct{ context, effective, bounding, rest string }{
		"usual":      {"", usual, usual, "0 0"},
		"drop":       {"capabilities: {drop: [NET_RAW, CHOWN]}", "00000000a80405fa", "00000000a80405fa", "0 0"},
		"drop all":   {"capabilities: {drop: [ALL]}", none, none, "0 0"},
		"only":       {"capabilities: {drop: [ALL], add: [NET_BIND_SERVICE]}", "0000000000000400", "0000000000000400", "0 0"},
		"add":        {"capabilities: {add: [SYS_TIME]}", "00000000aa0425fb", "00000000aa0425fb", "0 0"},
		"user":       {"runAsUser: 1001", none, usual, "0 0"},
		"user only":  {"runAsUser: 1001, capabilities: {drop: [ALL], add: [NET_BIND_SERVICE]}", none, "0000000000000400", "0 0"},
		"no more":    {"allowPrivilegeEscalation: false", usual, usual, "1 0"},
		"more":       {"allowPrivilegeEscalation: true", usual, usual, "0 0"},
		"filtered":   {"seccompProfile: {type: RuntimeDefault}", usual, usual, "0 2"},
		"unfiltered": {"seccompProfile: {type: Unconfined}", usual, usual, "0 0"},
		"local":      {"seccompProfile: {type: Localhost, localhostProfile: tests/deny-mkdir.json}", usual, usual, "0 2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := inside(t, ns, strings.ReplaceAll(name, " ", "-"), `while read k v; do case $k in CapEff:|CapBnd:|NoNewPrivs:|Seccomp:) echo $v;; esac; done </proc/self/status`,
				"", "    securityContext: {"+c.context+"}")
			want := strings.Join([]string{c.effective, c.bounding}, "\n") + "\n" + strings.ReplaceAll(c.rest, " ", "\n")
			if got != want {
				t.Errorf("got  %q\nwant %q", got, want)
			}
		})
	}
}

// TestPrivileged: everything but what the host itself may not do, devices included.
func TestPrivileged(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	all, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, all2, _ := strings.Cut(string(all), "CapBnd:")
	bounding := strings.Fields(all2)[0]
	out := inside(t, ns, "all", `grep CapEff /proc/self/status; grep Seccomp: /proc/self/status; test -c /dev/kmsg && echo devices; mount | grep -c "on /proc/kcore"; true`,
		"", "    securityContext: {privileged: true, seccompProfile: {type: RuntimeDefault}}")
	if !strings.Contains(out, bounding) || !strings.Contains(out, "Seccomp:\t0") || !strings.Contains(out, "devices") {
		t.Errorf("it has %s, the host %s", out, bounding)
	}
}

func TestReadOnlyRoot(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	out := inside(t, ns, "ro", "touch /x /tmp/x 2>&1; echo $?; touch /dev/shm/x && echo shared", "", "    securityContext: {readOnlyRootFilesystem: true}")
	if strings.Count(out, "Read-only file system") != 2 || !strings.Contains(out, "1\nshared") {
		t.Errorf("said %s", out)
	}
}

// TestLocalSeccompProfile: the host's own profile forbids what it says.
func TestLocalSeccompProfile(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	out := inside(t, ns, "local", "mkdir /tmp/x 2>&1; true", "  securityContext: {seccompProfile: {type: Localhost, localhostProfile: tests/deny-mkdir.json}}", "")
	if !strings.Contains(out, "Operation not permitted") {
		t.Errorf("mkdir said %q", out)
	}
	apply(t, ns, script("lost", "true", "  securityContext: {seccompProfile: {type: Localhost, localhostProfile: none.json}}", ""))
	waiting(t, ns, "lost", "CreateContainerError", "none.json")
}

// waiting waits until the pod's container waits for that reason, with a message that says word.
func waiting(t *testing.T, ns, name, reason, word string) {
	t.Helper()
	await(t, ns, name, "waits: "+reason, func(p *v1.Pod) bool {
		for _, c := range p.Status.ContainerStatuses {
			if w := c.State.Waiting; w != nil && w.Reason == reason && strings.Contains(w.Message, word) {
				return true
			}
		}
		return false
	})
}

// TestNonRoot: the reasons why a container that must not be root is not started.
func TestNonRoot(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	apply(t, ns, script("image", "true", "  securityContext: {runAsNonRoot: true}", ""))
	apply(t, ns, script("zero", "true", "", "    securityContext: {runAsNonRoot: true, runAsUser: 0}"))
	apply(t, ns, strings.Replace(script("named", "true", "  securityContext: {runAsNonRoot: true}", ""), "skerry-test:1", "skerry-app:1", 1))
	waiting(t, ns, "image", "CreateContainerConfigError", `container has runAsNonRoot and image will run as root (pod: "image_`+ns+"(")
	waiting(t, ns, "zero", "CreateContainerConfigError", "container's runAsUser breaks non-root policy (pod: ")
	waiting(t, ns, "named", "CreateContainerConfigError", "container has runAsNonRoot and image has non-numeric user (app), cannot verify user is non-root")
}

// profile is a seccomp profile on the host that forbids to make directories.
func profile() error {
	dir := filepath.Join(rig.Hosts[0].AgentDir(), "seccomp", "tests")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	const text = `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO"}]}`
	return os.WriteFile(filepath.Join(dir, "deny-mkdir.json"), []byte(text), 0o600)
}
