//go:build linux

package podman_test

import (
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/skerry/skerry/services/agent/podman/podmantest"
	"github.com/skerry/skerry/services/agent/sandbox"
)

// TestLookAsksForWhatMayHaveChanged: what runs on is known from the kernel, without Podman;
// pauses, ends and removals behind the driver's back are seen.
func TestLookAsksForWhatMayHaveChanged(t *testing.T) {
	d, h, ctx := start(t)
	changes, opened := make(chan sandbox.Change, 64), make(chan struct{})
	following, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		ended <- d.Changes(following, func() { close(opened) }, func(c sandbox.Change) {
			select {
			case changes <- c:
			case <-following.Done():
			}
		})
	}()
	defer func() { stop(); <-ended }()
	<-opened
	id := launch(t, ctx, d, sandbox.ContainerSpec{}, "echo ready; while :; do sleep 0.1; done")
	podmantest.AwaitLog(t, d, id, "ready")
	p := one(t, ctx, d)
	look := func() sandbox.State {
		t.Helper()
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		var err error
		if p, err = d.Look(ctx, p); err != nil {
			t.Fatal(err)
		}
		if len(p.Containers) == 0 {
			return ""
		}
		return p.Containers[0].State
	}
	await := func(want sandbox.State) {
		t.Helper()
		for got := look(); got != want; got = look() {
			select {
			case <-changes:
			case <-ctx.Done():
				t.Fatalf("it is %q, want %q", got, want)
			}
		}
	}
	if got := look(); got != sandbox.Running || p.IP == "" {
		t.Fatalf("%+v", p)
	}
	if err := h.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if got := look(); got != sandbox.Running || p.IP == "" || p.Infra.State != sandbox.Running {
		t.Errorf("without Podman: %+v", p)
	}
	if err := h.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	h.Podman(t, "pause", id)
	await(sandbox.Paused)
	h.Podman(t, "unpause", id)
	await(sandbox.Running)
	h.Podman(t, "kill", id)
	await(sandbox.Exited)
	h.Podman(t, "start", id)
	p = one(t, ctx, d)
	await(sandbox.Running)
	h.Podman(t, "rm", "-f", "-t", "0", id)
	await("")
}
