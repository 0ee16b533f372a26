//go:build linux

package podman_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/skerry/skerry/services/agent/podman"
	"github.com/skerry/skerry/services/agent/sandbox"
)

// await asks until ok, or ctx ends.
func await(t *testing.T, ctx context.Context, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatal(ctx.Err())
		case <-tick.C:
		}
	}
}

// TestNothingRunsTwice: Podman makes a container that has ended ready to start once more when
// somebody attaches to it. It has ended for all that, as it did.
func TestNothingRunsTwice(t *testing.T) {
	d, h, ctx := start(t)
	id := launch(t, ctx, d, sandbox.ContainerSpec{}, "echo ran; exit 3")
	untilExited(t, ctx, d)
	before := one(t, ctx, d)
	quiet := podman.Attach{Output: func(byte, []byte) error { return nil }}
	for _, initialize := range []bool{false, true} {
		if initialize {
			await(t, ctx, func() bool { return h.Podman(t, "inspect", "--format", "{{.State.Status}}", id) == "exited\n" })
			h.Podman(t, "init", id)
		}
		fresh := podman.New(h.Socket, nil)
		for name, d := range map[string]*podman.Driver{"the same": d, "another": fresh} {
			p := one(t, ctx, d)
			if c := p.Containers[0]; c.State != sandbox.Exited || c.ExitCode != 3 || c.FinishedAt.Sub(before.Containers[0].FinishedAt).Abs() > time.Second {
				t.Errorf("%s driver, initialized %v: %+v", name, initialize, c)
			}
			p.Containers[0].State = sandbox.Running // as one who has not looked for a while knows it
			p, err := d.Look(ctx, p)
			if err != nil || p.Containers[0].State != sandbox.Exited {
				t.Errorf("%s driver, initialized %v: %+v, %v", name, initialize, p, err)
			}
		}
		if err := d.Attach(ctx, id, quiet); err != nil {
			t.Errorf("attach: %v", err)
		}
		if out := h.Podman(t, "inspect", "--format", "{{.State.Status}} {{.State.Pid}}", id); out != "exited 0\n" && out != "stopped 0\n" {
			t.Errorf("after the attach it is %s", out)
		}
	}
	var out strings.Builder
	if err := d.Logs(ctx, id, podman.LogOptions{Tail: -1}, func(p []byte) error { out.Write(p); return nil }); err != nil || out.String() != "ran\n" {
		t.Errorf("it said %q, %v", out.String(), err)
	}
}

// TestStopSandbox: also of a pod whose container has ended, which Podman's own call leaves
// alone; all of it is kept.
func TestStopSandbox(t *testing.T) {
	d, _, ctx := start(t)
	for name, script := range map[string]string{"ended": "exit 3", "running": "while :; do sleep 1; done"} {
		launch(t, ctx, d, sandbox.ContainerSpec{}, script)
		if name == "ended" {
			untilExited(t, ctx, d)
		}
		id := one(t, ctx, d).ID
		for range 2 {
			if err := d.StopSandbox(ctx, id); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if p := one(t, ctx, d); p.Infra.State != sandbox.Exited || len(p.Containers) != 1 || p.Containers[0].State != sandbox.Exited {
				t.Errorf("%s: left is %+v", name, p)
			}
		}
		if err := d.RemoveSandbox(ctx, id); err != nil {
			t.Fatal(err)
		}
		if err := d.StopSandbox(ctx, id); err != nil {
			t.Errorf("%s, gone: %v", name, err)
		}
	}
}
