//go:build linux

package podman_test

import (
	"context"
	"testing"
	"time"

	"github.com/skerry/skerry/services/agent/podman"
	"github.com/skerry/skerry/services/agent/podman/podmantest"
	"github.com/skerry/skerry/services/agent/sandbox"
)

func one(t *testing.T, ctx context.Context, d *podman.Driver) sandbox.Pod {
	t.Helper()
	ps, err := d.Pods(ctx)
	if err != nil || len(ps) != 1 {
		t.Fatalf("Pods() = %v, %v", ps, err)
	}
	return ps[0]
}

// untilExited looks until the pod's container has ended.
func untilExited(t *testing.T, ctx context.Context, d *podman.Driver) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for one(t, ctx, d).Containers[0].State != sandbox.Exited {
		select {
		case <-ctx.Done():
			t.Fatal("it did not end")
		case <-tick.C:
		}
	}
}

// TestKillForLackOfMemory: it is told from other kills, although Podman does not on
// cgroup v1; also if it comes as soon as the container starts and nobody looks before the
// cgroup is gone, by a driver that met the container running, and by one that
// was not there at all.
func TestKillForLackOfMemory(t *testing.T) {
	first, h, ctx := start(t)
	other := podman.New(h.Socket, nil)
	for _, c := range []struct {
		name, script string
		later        bool // a driver that comes later sees it end
		want         bool
	}{
		{"at once", "exec tail /dev/zero", false, true},
		{"another reason", "kill -9 $$", false, false},
		{"killed with a limit", "echo ready; while :; do sleep 0.1; done", true, false},
		{"later", "trap 'tail /dev/zero' TERM; echo ready; while :; do sleep 0.1; done", true, true},
	} {
		id := launch(t, ctx, first, sandbox.ContainerSpec{Resources: sandbox.Resources{Memory: 16 << 20}}, c.script)
		d := first
		if c.later {
			podmantest.AwaitLog(t, first, id, "ready")
			d = podman.New(h.Socket, nil)
			one(t, ctx, d)
			if err := other.StopContainer(ctx, id, time.Second); err != nil {
				t.Fatal(err)
			}
		}
		untilExited(t, ctx, other)
		for _, d := range []*podman.Driver{d, d, podman.New(h.Socket, nil)} {
			if p := one(t, ctx, d); p.Containers[0].OOMKilled != c.want {
				t.Errorf("%s: %+v", c.name, p.Containers[0])
			}
		}
		if err := first.RemoveSandbox(ctx, one(t, ctx, first).ID); err != nil {
			t.Fatal(err)
		}
	}
}

// TestKillWithoutTheKernelsLog: the container is followed before it starts.
func TestKillWithoutTheKernelsLog(t *testing.T) {
	d, h, ctx := start(t)
	d.Deafen()
	launch(t, ctx, d, sandbox.ContainerSpec{Resources: sandbox.Resources{Memory: 16 << 20}}, "exec tail /dev/zero")
	untilExited(t, ctx, podman.New(h.Socket, nil))
	for range 2 {
		if p := one(t, ctx, d); !p.Containers[0].OOMKilled {
			t.Errorf("%+v", p.Containers[0])
		}
	}
}

// TestLimitsReachTheKernel: a container's, its pod's, and changed ones.
func TestLimitsReachTheKernel(t *testing.T) {
	d, _, ctx := start(t)
	s := spec("limits")
	s.Resources = sandbox.Resources{CPUShares: 2048, CPUQuota: 150000, CPUPeriod: 100000, Memory: 256 << 20}
	score := 900
	id := launch(t, ctx, d, sandbox.ContainerSpec{Sandbox: s, Resources: sandbox.Resources{
		CPUShares: 512, CPUQuota: 50000, CPUPeriod: 100000, Memory: 64 << 20, Pids: 50, OOMScore: &score,
	}}, "sleep 1000")
	one(t, ctx, d)
	got, ok := d.Cgroups().Settings(id)
	if want := (sandbox.Resources{CPUShares: 512, CPUQuota: 50000, CPUPeriod: 100000, Memory: 64 << 20, Pids: 50}); !ok || !got.SameCgroup(want) {
		t.Errorf("container: %+v, %v", got, ok)
	}
	if got, ok := d.Cgroups().PodSettings(s.UID); !ok || !got.SameCgroup(s.Resources) {
		t.Errorf("pod: %+v, %v", got, ok)
	}
	next := sandbox.Resources{CPUShares: 1024, CPUQuota: 100000, CPUPeriod: 100000, Memory: 200 << 20}
	if err := d.UpdateContainer(ctx, id, next); err != nil {
		t.Fatal(err)
	}
	next.Pids = 50
	if got, _ := d.Cgroups().Settings(id); !got.SameCgroup(next) {
		t.Errorf("changed: %+v, want %+v", got, next)
	}
	if err := d.UpdateContainer(ctx, id, sandbox.Resources{CPUQuota: -1, Memory: -1}); err != nil {
		t.Fatal(err)
	}
	if got, _ := d.Cgroups().Settings(id); got.CPUQuota != 0 || got.Memory != 0 {
		t.Errorf("without limits: %+v", got)
	}
	wider := sandbox.Resources{CPUShares: 4096, CPUQuota: 300000, CPUPeriod: 100000, Memory: 512 << 20}
	if err := d.Cgroups().SetPod(s.UID, wider); err != nil {
		t.Fatal(err)
	}
	if got, _ := d.Cgroups().PodSettings(s.UID); !got.SameCgroup(wider) {
		t.Errorf("changed pod: %+v", got)
	}
	if us := d.Cgroups().Usage(); len(us) != 1 || us[0].ID != id || us[0].Memory <= 0 || us[0].PIDs < 1 {
		t.Errorf("usage %+v", us)
	}
}
