package pressure

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/deploy/lab"
	"github.com/skerry/skerry/deploy/lab/labtest"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/agent/podman/podmantest"
)

var rig *labtest.Rig

// data is the agent's data directory, on a file system of its own.
func data() string { return filepath.Join(rig.Dir, "h1", "agent") }

func TestMain(m *testing.M) {
	o := lab.Options{Name: "prs", Subnet: 19, Hosts: 1, AgentArgs: []string{
		"--eviction-hard=nodefs.available<50%", "--eviction-pressure-transition-period=1s",
	}}
	os.Exit(labtest.Main(m, o, func(r *labtest.Rig) error {
		rig = r
		tar, err := podmantest.ImageTar()
		if err != nil {
			return err
		}
		if err := r.ImportTar(strings.TrimPrefix(podmantest.Image, "localhost/"), tar); err != nil {
			return err
		}
		if err := r.Kill("h1-agent"); err != nil {
			return err
		}
		if err := syscall.Mount("tmpfs", data(), "tmpfs", 0, "size=32m"); err != nil {
			return fmt.Errorf("mount a small disk: %w", err)
		}
		return r.Hosts[0].StartAgent()
	}))
}

func pod(name, script, spec string) string {
	return fmt.Sprintf(`apiVersion: v1
kind: Pod
metadata: {name: %s}
spec:
  terminationGracePeriodSeconds: 1
%s
  containers:
  - {name: main, image: %s, imagePullPolicy: Never, command: [/bin/sh, -c, %q]}
---
`, name, spec, podmantest.Image, script)
}

func get[T schemas.Object](t *testing.T, r schemas.Resource, ns, name string) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), labtest.Patience)
	defer cancel()
	obj, err := rig.Client.Get(ctx, schemas.Ref{Resource: r, Namespace: schemas.Namespace(ns), Name: schemas.Name(name)})
	if err != nil {
		t.Fatalf("get %s: %v", name, err)
	}
	return obj.(T)
}

func await(t *testing.T, ns, name, what string, ok func(*v1.Pod) bool) (p *v1.Pod) {
	t.Helper()
	rig.Eventually(t, name+": "+what, func() error {
		if p = get[*v1.Pod](t, schemas.Pods, ns, name); !ok(p) {
			return fmt.Errorf("status %+v", p.Status)
		}
		return nil
	})
	return p
}

func running(p *v1.Pod) bool { return p.Status.Phase == v1.PodRunning }
func failed(p *v1.Pod) bool  { return p.Status.Phase == v1.PodFailed }

// pressure waits until the node has, or has not, the condition DiskPressure and its taint.
func pressure(t *testing.T, want v1.ConditionStatus) {
	t.Helper()
	rig.Eventually(t, "DiskPressure "+string(want), func() error {
		n := get[*v1.Node](t, schemas.Nodes, "", "h1")
		tainted := false
		for _, taint := range n.Spec.Taints {
			tainted = tainted || taint.Key == v1.TaintNodeDiskPressure && taint.Effect == v1.TaintEffectNoSchedule
		}
		for _, c := range n.Status.Conditions {
			if c.Type == v1.NodeDiskPressure && c.Status == want && tainted == (want == v1.ConditionTrue) {
				return nil
			}
		}
		return errors.New("not yet")
	})
}

// TestDiskPressure: who fills the disk goes, who matters stays, nobody new comes, and
// all of that ends with the pressure.
func TestDiskPressure(t *testing.T) {
	t.Cleanup(func() {
		if err := syscall.Unmount(data(), syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	ns := rig.Namespace(t)
	apply := func(manifest string) { rig.Skerry(t, manifest, "apply", "-n", ns, "-f", "-") }
	apply(pod("chatty", "yes 0123456789abcdef | head -c 3000000; echo; echo done; sleep 1000", "") +
		pod("vital", "sleep 1000", "  priorityClassName: system-node-critical"))
	await(t, ns, "chatty", "running", running)
	await(t, ns, "vital", "running", running)
	rig.Eventually(t, "logs", func() error {
		if out := rig.Skerry(t, "", "logs", "-n", ns, "chatty", "--tail=1"); out != "done\n" {
			return fmt.Errorf("the log ends with %q", out)
		}
		return nil
	})
	fill := filepath.Join(data(), "fill")
	if err := os.WriteFile(fill, make([]byte, 16<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	pressure(t, v1.ConditionTrue)
	p := await(t, ns, "chatty", "evicted", failed)
	if p.Status.Reason != "Evicted" || !strings.HasPrefix(p.Status.Message, "The node was low on resource: ephemeral-storage. Threshold quantity: 16Mi, available: ") ||
		!strings.Contains(p.Status.Message, "Container main was using ") {
		t.Errorf("%s: %s", p.Status.Reason, p.Status.Message)
	}
	disrupted := false
	for _, c := range p.Status.Conditions {
		disrupted = disrupted || c.Type == v1.DisruptionTarget && c.Status == v1.ConditionTrue && c.Reason == v1.PodReasonTerminationByKubelet
	}
	if !disrupted {
		t.Errorf("conditions %+v", p.Status.Conditions)
	}
	apply(pod("bound", "sleep 1000", "  nodeName: h1") + pod("waits", "sleep 1000", ""))
	if p := await(t, ns, "bound", "rejected", failed); p.Status.Reason != "Evicted" || p.Status.Message != "Pod was rejected: The node had condition: [DiskPressure]. " {
		t.Errorf("%s: %s", p.Status.Reason, p.Status.Message)
	}
	await(t, ns, "waits", "told why", func(p *v1.Pod) bool {
		return len(p.Status.Conditions) > 0 && strings.Contains(p.Status.Conditions[0].Message, "untolerated taint")
	})
	if p := get[*v1.Pod](t, schemas.Pods, ns, "vital"); !running(p) {
		t.Errorf("the critical pod is %s", p.Status.Phase)
	}
	if out := rig.Skerry(t, "", "events", "-A"); !strings.Contains(out, "EvictionThresholdMet") || !strings.Contains(out, "NodeHasDiskPressure") {
		t.Errorf("events:\n%s", out)
	}
	if err := os.Remove(fill); err != nil {
		t.Fatal(err)
	}
	pressure(t, v1.ConditionFalse)
	await(t, ns, "waits", "running", running)
}
