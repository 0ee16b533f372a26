//go:build linux

package podman_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/skerry/skerry/bus/remote"
	"github.com/skerry/skerry/services/agent/podman"
	"github.com/skerry/skerry/services/agent/podman/podmantest"
	"github.com/skerry/skerry/services/agent/runtimetest"
	"github.com/skerry/skerry/services/agent/sandbox"
	"github.com/skerry/skerry/services/agent/space"
)

const network = "skerry"

func start(t *testing.T) (*podman.Driver, *podmantest.Host, context.Context) {
	t.Helper()
	h := podmantest.Start(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	d := podman.New(h.Socket, slog.New(slog.DiscardHandler))
	if err := d.CreateNetwork(ctx, network, "skerry0", netip.MustParsePrefix("10.244.7.0/24")); err != nil {
		t.Fatal(err)
	}
	return d, h, ctx
}

func spec(name string) sandbox.Spec {
	return sandbox.Spec{
		Key: sandbox.Key{Namespace: "default", Name: "p"}, UID: "12345678-aaaa", Grace: 2 * time.Second,
		Hostname: name, Network: network,
	}
}

// launch makes a sandbox with one container that runs script.
func launch(t *testing.T, ctx context.Context, d *podman.Driver, c sandbox.ContainerSpec, script string) string {
	t.Helper()
	if c.Sandbox.UID == "" {
		c.Sandbox = spec("web")
	}
	pod, err := d.CreateSandbox(ctx, c.Sandbox)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.StartSandbox(ctx, c.Sandbox); err != nil {
		t.Fatal(err)
	}
	c.SandboxID, c.Name, c.Image, c.Entrypoint = pod, "c", podmantest.Image, []string{"/bin/sh", "-c", script}
	id, err := d.CreateContainer(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.StartContainer(ctx, id); err != nil {
		t.Fatal(err)
	}
	return id
}

// TestContract is what every runtime must do, on real Podman, of either sort of sandbox.
func TestContract(t *testing.T) {
	for name, alone := range map[string]bool{"Pod": false, "Bare": true} {
		t.Run(name, func(t *testing.T) { contract(t, alone) })
	}
}

func contract(t *testing.T, alone bool) {
	runtimetest.Suite(t, func(t *testing.T) runtimetest.Subject {
		h := podmantest.Start(t)
		d := podman.New(h.Socket, slog.New(slog.DiscardHandler))
		d.Spaces = space.New(filepath.Join(h.Dir, "sandboxes"), slog.New(slog.DiscardHandler))
		return runtimetest.Subject{
			Runtime: d, Image: podmantest.Image, Alone: alone,
			Program: func(c *sandbox.ContainerSpec, p runtimetest.Program) {
				c.Entrypoint = []string{"/bin/sh", "-c", map[runtimetest.Program]string{
					runtimetest.Obedient: "trap 'exit 7' TERM; echo armed; while :; do sleep 0.1; done",
					runtimetest.Stubborn: "trap : TERM; echo armed; while :; do sleep 0.1; done",
					runtimetest.Brief:    "echo armed; exit 3",
				}[p]}
			},
			Armed: func(id string) { podmantest.AwaitLog(t, d, id, "armed") },
		}
	})
}

func TestLimitsAndEnvironment(t *testing.T) {
	d, _, ctx := start(t)
	s := spec("hello-host")
	c := sandbox.ContainerSpec{
		Sandbox: s, Env: map[string]string{"GREETING": "moin"}, WorkingDir: "/tmp",
		Resources: sandbox.Resources{CPUShares: 512, CPUQuota: 50_000, CPUPeriod: 100_000, Memory: 64 << 20},
	}
	id := launch(t, ctx, d, c, `echo $GREETING $FROM_IMAGE $(hostname) $PWD
cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null
cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu.max 2>/dev/null; cat /sys/fs/cgroup/cpu/cpu.shares 2>/dev/null; echo end`)
	var out strings.Builder
	err := d.Logs(ctx, id, podman.LogOptions{Follow: true, Tail: -1}, func(p []byte) error { out.Write(p); return nil })
	if err != nil {
		t.Fatal(err)
	}
	got := out.String()
	for _, want := range []string{"moin yes hello-host /tmp\n", "67108864\n", "50000"} {
		if !strings.Contains(got, want) {
			t.Errorf("the container said %q, want %q in it", got, want)
		}
	}
}

func TestImages(t *testing.T) {
	d, _, ctx := start(t)
	if ok, err := d.ImageExists(ctx, podmantest.Image); err != nil || !ok {
		t.Errorf("ImageExists = %v, %v", ok, err)
	}
	if ok, err := d.ImageExists(ctx, "localhost/nothing:1"); err != nil || ok {
		t.Errorf("ImageExists of nothing = %v, %v", ok, err)
	}
	began := time.Now()
	for _, ref := range []string{"localhost/nothing:1", "nothing-at-all:1"} {
		if err := d.PullImage(ctx, ref, sandbox.Credential{}); err == nil || !strings.Contains(err.Error(), "nothing") {
			t.Errorf("PullImage(%s) = %v", ref, err)
		}
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("pulls that cannot work took %s", took)
	}
	pod, err := d.CreateSandbox(ctx, spec("x"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.CreateContainer(ctx, sandbox.ContainerSpec{SandboxID: pod, Sandbox: spec("x"), Name: "c", Image: "localhost/nothing:1"})
	if !errors.Is(err, sandbox.ErrImageUnknown) {
		t.Errorf("CreateContainer without its image: %v", err)
	}
	list, err := d.Images(ctx)
	if err != nil || len(list) == 0 {
		t.Fatalf("Images = %v, %v", list, err)
	}
}

func TestExec(t *testing.T) {
	d, _, ctx := start(t)
	id := launch(t, ctx, d, sandbox.ContainerSpec{}, "while :; do sleep 1; done")
	for _, c := range []struct {
		name     string
		e        podman.Exec
		code     int
		out, err string
	}{
		{name: "exit code and both outputs", e: podman.Exec{Command: []string{"sh", "-c", "echo out; echo err >&2; exit 42"}}, code: 42, out: "out\n", err: "err\n"},
		{name: "stdin", e: podman.Exec{Command: []string{"cat"}, Stdin: strings.NewReader("fed in\n")}, out: "fed in\n"},
		{name: "terminal", e: podman.Exec{Command: []string{"sh", "-c", "test -t 1 && echo tty"}, TTY: true}, out: "tty\r\n"},
		{name: "not found", e: podman.Exec{Command: []string{"/no/such"}}, code: -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			var outputs [3]strings.Builder
			c.e.Output = func(ch byte, p []byte) error { outputs[ch].Write(p); return nil }
			code, err := d.Exec(ctx, id, c.e)
			if c.code < 0 {
				if err == nil && code == 0 {
					t.Errorf("it succeeded")
				}
				return
			}
			if err != nil || code != c.code || outputs[1].String() != c.out || outputs[2].String() != c.err {
				t.Errorf("code %d, error %v, out %q, err %q", code, err, outputs[1].String(), outputs[2].String())
			}
		})
	}
	t.Run("resize", func(t *testing.T) {
		in, feed := io.Pipe()
		sizes := make(chan remote.Size, 1)
		sizes <- remote.Size{Width: 101, Height: 33}
		var out strings.Builder
		_, err := d.Exec(ctx, id, podman.Exec{
			Command: []string{"sh", "-c", "until stty size | head -n1 | cat; test \"$(stty size)\" = '33 101'; do :; done; echo resized"},
			TTY:     true, Stdin: in, Resize: sizes,
			Output: func(_ byte, p []byte) error { out.Write(p); return nil },
		})
		if err != nil || !strings.Contains(out.String(), "resized") {
			t.Errorf("%v: %q", err, out.String())
		}
		_ = feed.Close()
	})
}
