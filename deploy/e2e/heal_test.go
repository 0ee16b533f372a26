package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/deploy/lab"
	"github.com/skerry/skerry/services/agent"
	"github.com/skerry/skerry/services/agent/mount"
)

// TestServes is the main job: from a manifest to a page.
func TestServes(t *testing.T) {
	ns := namespace(t)
	skerry(t, deployment("web", "v1", 3), "apply", "-n", ns, "-f", "-", "--wait")
	ps := waitReady(t, ns, "web", 3)
	on := map[string]bool{}
	for _, p := range ps {
		on[p.Spec.NodeName] = true
		serves(t, p)
	}
	if len(on) != 3 {
		t.Errorf("3 pods on %d of 3 hosts", len(on))
	}
}

// serves gets the page of a pod from its host.
func serves(t *testing.T, p *v1.Pod) {
	t.Helper()
	out, err := exec.Command("nsenter", "--net=/run/netns/"+hostOf(t, p).Netns(), hosts.Fetch(), "http://"+p.Status.PodIP+":8080/").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "HTTP 200") {
		t.Errorf("page of %s at %s: %v\n%s", p.Name, p.Status.PodIP, err, out)
	}
}

// TestHeals breaks containers behind the agent's back: each time another pod's, for
// a container that keeps ending is restarted later and later.
func TestHeals(t *testing.T) {
	ns := namespace(t)
	podman := func(args ...string) func(*lab.Host, *v1.Pod) error {
		return func(h *lab.Host, p *v1.Pod) error {
			_, err := h.Podman(append(args, containerID(p))...)
			return err
		}
	}
	for _, c := range []struct {
		name, what, spec string
		breaks           func(*lab.Host, *v1.Pod) error
	}{
		{"killed", "podman kill", "", podman("kill")},
		{"removed", "podman rm -f", "", podman("rm", "-f", "-t", "0")},
		{"podless", "podman pod rm -f", sharing, func(h *lab.Host, p *v1.Pod) error {
			_, err := h.Podman("pod", "rm", "-f", "-t", "0", podOf(t, h, containerID(p)))
			return err
		}},
		{"spaceless", "unmounting its namespaces", "", func(h *lab.Host, p *v1.Pod) error {
			return mount.Unmount(spaceOf(t, h, p))
		}},
	} {
		skerry(t, deployment(c.name, "v1", 1)+c.spec, "apply", "-n", ns, "-f", "-", "--wait")
		before := waitReady(t, ns, c.name, 1)[0]
		id := containerID(before)
		if err := c.breaks(hostOf(t, before), before); err != nil {
			t.Fatalf("%s: %v", c.what, err)
		}
		eventually(t, "healing after "+c.what, func() error {
			for _, p := range pods(t, ns, c.name) {
				if ready(p) && containerID(p) != id && containerID(p) != "" {
					if p.UID != before.UID {
						t.Errorf("after %s the pod was replaced, not healed", c.what)
					}
					serves(t, p)
					return nil
				}
			}
			return fmt.Errorf("not running again")
		})
	}
}

// sharing is the end of a deployment's manifest whose pods have to be Podman's.
const sharing = "      shareProcessNamespace: true\n"

// spaceOf is the directory of a pod's namespaces.
func spaceOf(t *testing.T, h *lab.Host, p *v1.Pod) string {
	t.Helper()
	dir := filepath.Join(agent.SandboxDir(h.AgentDir()), fmt.Sprintf("%s_%s_%.8s", p.Namespace, p.Name, p.UID))
	if _, err := os.Stat(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// podOf is the Podman pod that a container belongs to.
func podOf(t *testing.T, h *lab.Host, container string) string {
	t.Helper()
	out, err := h.Podman("inspect", "--format", "{{.Pod}}", container)
	if err != nil || strings.TrimSpace(out) == "" {
		t.Fatalf("container %s is in no pod: %v", container, err)
	}
	return strings.TrimSpace(out)
}

// TestAgentRestartRestartsNothing kills an agent and starts it again.
func TestAgentRestartRestartsNothing(t *testing.T) {
	ns := namespace(t)
	skerry(t, deployment("web", "v1", 3), "apply", "-n", ns, "-f", "-", "--wait")
	ps := waitReady(t, ns, "web", 3)
	before := containersOf(ps)
	for _, h := range hosts.Hosts {
		if err := hosts.Kill(h.Name + "-agent"); err != nil {
			t.Fatal(err)
		}
	}
	// While no agent runs, a container dies: the agent that comes back heals it.
	victim := ps[0]
	if _, err := hostOf(t, victim).Podman("kill", containerID(victim)); err != nil {
		t.Fatal(err)
	}
	for _, h := range hosts.Hosts {
		if err := h.StartAgent(); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the killed container", func() error {
		for _, p := range pods(t, ns, "web") {
			if p.Name == victim.Name && ready(p) && containerID(p) != containerID(victim) {
				return nil
			}
		}
		return fmt.Errorf("not running again")
	})
	after := containersOf(waitReady(t, ns, "web", 3))
	delete(before, victim.Name)
	for name, c := range before {
		if after[name] != c {
			t.Errorf("%s was %s, is %s", name, c, after[name])
		}
	}
}
