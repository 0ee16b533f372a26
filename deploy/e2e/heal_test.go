package e2e

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
)

// TestServes is the main job: from a manifest to a page.
func TestServes(t *testing.T) {
	ns := namespace(t)
	skerry(t, deployment("web", "v1", 3), "apply", "-n", ns, "-f", "-", "--wait")
	ps := waitReady(t, ns, "web", 3)
	on := map[string]bool{}
	for _, p := range ps {
		on[p.Spec.NodeName] = true
		out, err := exec.Command("nsenter", "--net=/run/netns/"+hostOf(t, p).Netns(), hosts.Fetch(), "http://"+p.Status.PodIP+":8080/").CombinedOutput()
		if err != nil || !strings.Contains(string(out), "HTTP 200") {
			t.Errorf("page of %s at %s: %v\n%s", p.Name, p.Status.PodIP, err, out)
		}
	}
	if len(on) != 3 {
		t.Errorf("3 pods on %d of 3 hosts", len(on))
	}
}

// TestHeals breaks containers behind the agent's back: each time another pod's, for
// a container that keeps ending is restarted later and later.
func TestHeals(t *testing.T) {
	ns := namespace(t)
	for _, c := range []struct {
		name, what string
		args       func(id string) []string
	}{
		{"killed", "podman kill", func(id string) []string { return []string{"kill", id} }},
		{"removed", "podman rm -f", func(id string) []string { return []string{"rm", "-f", "-t", "0", id} }},
		{"podless", "podman pod rm -f", func(id string) []string { return []string{"pod", "rm", "-f", "-t", "0", podOf(t, ns, "podless", id)} }},
	} {
		skerry(t, deployment(c.name, "v1", 1), "apply", "-n", ns, "-f", "-", "--wait")
		before := waitReady(t, ns, c.name, 1)[0]
		id := containerID(before)
		if out, err := hostOf(t, before).Podman(c.args(id)...); err != nil {
			t.Fatalf("%s: %v\n%s", c.what, err, out)
		}
		eventually(t, "healing after "+c.what, func() error {
			for _, p := range pods(t, ns, c.name) {
				if ready(p) && containerID(p) != id && containerID(p) != "" {
					if p.UID != before.UID {
						t.Errorf("after %s the pod was replaced, not healed", c.what)
					}
					return nil
				}
			}
			return fmt.Errorf("not running again")
		})
	}
}

// podOf is the Podman pod that a container belongs to.
func podOf(t *testing.T, ns, app, container string) string {
	t.Helper()
	for _, p := range pods(t, ns, app) {
		out, err := hostOf(t, p).Podman("inspect", "--format", "{{.Pod}}", container)
		if err == nil {
			return strings.TrimSpace(out)
		}
	}
	t.Fatalf("no host knows container %s", container)
	return ""
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
