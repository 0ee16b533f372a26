package e2e

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/deploy/lab"
	"github.com/skerry/skerry/services/agent"
)

func TestDrainMovesPods(t *testing.T) {
	ns := namespace(t)
	skerry(t, deployment("web", "v1", 3), "apply", "-n", ns, "-f", "-", "--wait")
	from := waitReady(t, ns, "web", 3)[0].Spec.NodeName
	skerry(t, "", "drain", from, "--ignore-daemonsets", "--timeout", patience.String())
	t.Cleanup(func() { skerry(t, "", "uncordon", from) })
	for _, p := range waitReady(t, ns, "web", 3) {
		if p.Spec.NodeName == from {
			t.Errorf("%s is still on %s", p.Name, from)
		}
	}
	if out := skerry(t, "", "get", "node", from); !strings.Contains(out, "SchedulingDisabled") {
		t.Errorf("a drained node is not cordoned:\n%s", out)
	}
}

// TestControlPlaneCrashInARollout kills bus, apiserver, controller and scheduler
// at once, in the middle of a rollout.
func TestControlPlaneCrashInARollout(t *testing.T) {
	ns := namespace(t)
	skerry(t, deployment("other", "v1", 2), "apply", "-n", ns, "-f", "-", "--wait")
	skerry(t, deployment("web", "v1", 4, noneUnavailable), "apply", "-n", ns, "-f", "-", "--wait")
	before := containersOf(waitReady(t, ns, "other", 2))
	skerry(t, deployment("web", "v2", 4, noneUnavailable), "apply", "-n", ns, "-f", "-")
	eventually(t, "the rollout to begin", func() error {
		if images(t, ns, "web")["v2"] == 0 {
			return errors.New("no new pod")
		}
		return nil
	})
	if err := hosts.KillControlPlane(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(hosts.StartBus(), hosts.StartControlPlane()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the rollout to finish", func() error {
		if got := images(t, ns, "web"); got["v2"] != 4 || got["v1"] != 0 {
			return fmt.Errorf("pods by image %v", got)
		}
		return nil
	})
	for _, p := range waitReady(t, ns, "web", 4) {
		if n := p.Status.ContainerStatuses[0].RestartCount; n != 0 {
			t.Errorf("%s was restarted %d times", p.Name, n)
		}
	}
	if after := containersOf(waitReady(t, ns, "other", 2)); !maps.Equal(before, after) {
		t.Errorf("containers of a deployment that nobody touched:\nbefore %v\nafter  %v", before, after)
	}
	noStrays(t)
}

// TestBusAwayForAMinute: hosts keep their pods running and heal them on their own.
func TestBusAwayForAMinute(t *testing.T) {
	ns := namespace(t)
	skerry(t, deployment("web", "v1", 3), "apply", "-n", ns, "-f", "-", "--wait")
	ps := waitReady(t, ns, "web", 3)
	before := containersOf(ps)
	if err := hosts.Kill("bus"); err != nil {
		t.Fatal(err)
	}
	back := time.After(time.Minute)
	victim := ps[0]
	if _, err := hostOf(t, victim).Podman("kill", containerID(victim)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a cut off host to heal its pod", func() error {
		out, err := hostOf(t, victim).Podman("ps", "--format", "{{.ID}} {{.Names}}", "--no-trunc", "--filter", "status=running")
		if err != nil {
			return err
		}
		for line := range strings.Lines(out) {
			if id, name, _ := strings.Cut(line, " "); strings.Contains(name, victim.Name) && id != containerID(victim) && strings.Contains(name, "hello") {
				return nil
			}
		}
		return errors.New("no new container")
	})
	<-back
	if err := hosts.StartBus(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the healed container to be reported", func() error {
		for _, p := range pods(t, ns, "web") {
			if p.Name == victim.Name && ready(p) && containerID(p) != containerID(victim) {
				return nil
			}
		}
		return errors.New("not reported")
	})
	after := containersOf(waitReady(t, ns, "web", 3))
	delete(before, victim.Name)
	delete(after, victim.Name)
	if !maps.Equal(before, after) {
		t.Errorf("other containers changed:\nbefore %v\nafter  %v", before, after)
	}
	noStrays(t)
}

// noStrays checks that each host runs just the containers that the cluster knows of.
func noStrays(t *testing.T) {
	t.Helper()
	eventually(t, "hosts without strays", func() error {
		known := map[string]bool{}
		out := skerry(t, "", "get", "pods", "-A", "-o", "jsonpath={range .items[*]}{.metadata.uid}{\"\\n\"}{end}")
		for uid := range strings.Lines(out) {
			known[strings.TrimSpace(uid)] = true
		}
		seen := map[string]string{}
		for _, h := range hosts.Hosts {
			// Those of both sorts of sandbox, infra containers included.
			out, err := h.Podman("ps", "--all", "--filter", "label=io.skerry.pod.uid", "--format", `{{index .Labels "io.skerry.pod.uid"}} {{.Names}}`)
			if err != nil {
				return err
			}
			for line := range strings.Lines(out) {
				uid, name, _ := strings.Cut(strings.TrimSpace(line), " ")
				if !known[uid] {
					return fmt.Errorf("%s has %s, which is no pod", h.Name, name)
				}
				if other, twice := seen[uid]; twice && other != h.Name {
					return fmt.Errorf("%s runs on %s and %s", name, other, h.Name)
				}
				seen[uid] = h.Name
			}
			if err := noSpaces(h, known); err != nil {
				return err
			}
		}
		return nil
	})
}

// noSpaces checks that a host has namespaces and links of pods that the cluster knows of only.
func noSpaces(h *lab.Host, known map[string]bool) error {
	entries, err := os.ReadDir(agent.SandboxDir(h.AgentDir()))
	if err != nil {
		return err
	}
	for _, e := range entries {
		short := e.Name()[strings.LastIndexByte(e.Name(), '_')+1:]
		if !slices.ContainsFunc(slices.Collect(maps.Keys(known)), func(uid string) bool { return strings.HasPrefix(uid, short) }) {
			return fmt.Errorf("%s has the namespaces %s, which are no pod's", h.Name, e.Name())
		}
	}
	links, err := exec.Command("ip", "-n", h.Netns(), "-o", "link").Output()
	if n := strings.Count(string(links), ": skp"); err == nil && n > len(entries) {
		err = fmt.Errorf("%s has %d links for %d pods", h.Name, n, len(entries))
	}
	return err
}

// TestHostLost comes last in its file's order: it costs a host, and brings it back.
func TestHostLost(t *testing.T) {
	ns := namespace(t)
	skerry(t, deployment("web", "v1", 3), "apply", "-n", ns, "-f", "-", "--wait")
	lost := hostOf(t, waitReady(t, ns, "web", 3)[0])
	if err := lost.PowerOff(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the lost host's pods to run elsewhere", func() error {
		n := 0
		for _, p := range pods(t, ns, "web") {
			if p.Spec.NodeName != lost.Name && ready(p) {
				n++
			}
		}
		if n < 3 {
			return fmt.Errorf("%d ready elsewhere", n)
		}
		return nil
	})
	if err := lost.PowerOn(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the host to be ready again", func() error {
		out := skerry(t, "", "get", "node", lost.Name, "-o", `jsonpath={.status.conditions[?(@.type=="Ready")].status} {.spec.taints}`)
		if !strings.HasPrefix(out, string(v1.ConditionTrue)) || strings.Contains(out, "unreachable") {
			return errors.New(out)
		}
		return nil
	})
	waitReady(t, ns, "web", 3)
	noStrays(t)
}
