//go:build linux

package podman_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/services/agent/mount"
	"github.com/skerry/skerry/services/agent/podman"
	"github.com/skerry/skerry/services/agent/podman/podmantest"
	"github.com/skerry/skerry/services/agent/sandbox"
	"github.com/skerry/skerry/services/agent/space"
)

// yard is a host for sandboxes without infra containers.
type yard struct {
	*testing.T
	*podman.Driver
	h   *podmantest.Host
	ctx context.Context
}

func newYard(t *testing.T) *yard {
	d, h, ctx := start(t)
	y := &yard{T: t, Driver: d, h: h, ctx: ctx}
	d.Spaces = y.store()
	return y
}

func (y *yard) dir() string { return filepath.Join(y.h.Dir, "sandboxes") }

// store is what an agent that has just begun has.
func (y *yard) store() *space.Store { return space.New(y.dir(), slog.New(slog.DiscardHandler)) }

func numbered(n int, alone bool) sandbox.Spec {
	return sandbox.Spec{
		Key: sandbox.Key{Namespace: "default", Name: "p"}, UID: types.UID(uid(n)), Grace: time.Second,
		Hostname: "web", Network: network, Alone: alone,
	}
}

// up makes a running sandbox.
func (y *yard) up(s sandbox.Spec) string {
	y.Helper()
	id, err := y.CreateSandbox(y.ctx, s)
	if err == nil {
		err = y.StartSandbox(y.ctx, s)
	}
	if err != nil {
		y.Fatal(err)
	}
	return id
}

// run has a container run script in a sandbox.
func (y *yard) run(id string, c sandbox.ContainerSpec, script string) string {
	y.Helper()
	c.SandboxID, c.Image, c.Entrypoint = id, podmantest.Image, []string{"/bin/sh", "-c", script + "; echo armed; sleep 1000"}
	cid, err := y.CreateContainer(y.ctx, c)
	if err == nil {
		err = y.StartContainer(y.ctx, cid)
	}
	if err != nil {
		y.Fatal(err)
	}
	podmantest.AwaitLog(y.T, y.Driver, cid, "armed")
	return cid
}

func (y *yard) said(id string) string {
	y.Helper()
	var out strings.Builder
	if err := y.Logs(y.ctx, id, podman.LogOptions{Tail: -1}, func(p []byte) error { out.Write(p); return nil }); err != nil {
		y.Fatal(err)
	}
	return out.String()
}

// links are the names of the host's links that are sandboxes'.
func (y *yard) links() (names []string) {
	y.Helper()
	out, err := exec.Command("ip", "-n", y.h.Netns, "-o", "link").Output()
	if err != nil {
		y.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		if f := strings.Fields(line); strings.HasPrefix(f[1], "skp") {
			names = append(names, f[1])
		}
	}
	return names
}

func (y *yard) pod(uid string) sandbox.Pod {
	y.Helper()
	ps, err := y.Pods(y.ctx)
	if err != nil {
		y.Fatal(err)
	}
	for _, p := range ps {
		if string(p.UID) == uid {
			return p
		}
	}
	y.Fatalf("no pod %s among %+v", uid, ps)
	return sandbox.Pod{}
}

// empty checks that nothing is left.
func (y *yard) empty() {
	y.Helper()
	entries, err := os.ReadDir(y.dir())
	if len(entries) > 0 || err != nil || len(y.links()) > 0 {
		y.Errorf("left: %v, links %v, %v", entries, y.links(), err)
	}
}

const facts = `hostname; echo $HOSTNAME; readlink /proc/self/ns/net; readlink /proc/self/ns/ipc; cat /dev/shm/* 2>/dev/null; cat /proc/sys/net/ipv4/ip_unprivileged_port_start`

// TestBareOutlivesItsContainers: a restarted container has the namespaces, the address and
// the shared memory of the one before, and one that looks into it has them too.
func TestBareOutlivesItsContainers(t *testing.T) {
	y := newYard(t)
	s := numbered(1, true)
	s.Namespaces.Sysctls = map[string]string{"net.ipv4.ip_unprivileged_port_start": "0"}
	id := y.up(s)
	first := y.run(id, sandbox.ContainerSpec{Sandbox: s, Name: "c"}, "echo kept > /dev/shm/file; "+facts)
	was := y.pod("12345671")
	if err := y.StopContainer(y.ctx, first, 0); err != nil {
		t.Fatal(err)
	}
	second := y.run(id, sandbox.ContainerSpec{Sandbox: s, Name: "c", Attempt: 1}, facts)
	if a, b := y.said(first), y.said(second); a != b || !strings.HasPrefix(a, "web\nweb\nnet:[") || !strings.Contains(a, "\nkept\n0\n") {
		t.Errorf("before the restart\n%safter it\n%s", a, b)
	}
	if is := y.pod("12345671"); is.IP != was.IP || is.IP == "" || is.Infra.State != sandbox.Running {
		t.Errorf("it was %+v, is %+v", was, is)
	}
	third := y.run(id, sandbox.ContainerSpec{Sandbox: s, Name: "d", PIDOf: second}, facts+`; ps | grep -c "[s]leep 1000"`)
	if a, b := y.said(second), y.said(third); !strings.HasPrefix(b, strings.TrimSuffix(a, "armed\n")) {
		t.Errorf("a container says\n%sthe one that looks into it\n%s", a, b)
	}
	if path, err := y.NetworkOf(y.ctx, was); err != nil || !strings.HasPrefix(path, y.dir()) {
		t.Errorf("NetworkOf = %q, %v", path, err)
	}
	if err := y.RemoveSandbox(y.ctx, id); err != nil {
		t.Fatal(err)
	}
	y.empty()
}

// TestBareAfterTheAgent: the next agent knows what the one before made, and that a reboot took
// its namespaces.
func TestBareAfterTheAgent(t *testing.T) {
	y := newYard(t)
	s := numbered(1, true)
	id := y.up(s)
	c := y.run(id, sandbox.ContainerSpec{Sandbox: s, Name: "c"}, "true")
	was := y.pod("12345671")
	y.Driver = podman.New(y.h.Socket, slog.New(slog.DiscardHandler))
	y.Spaces = y.store()
	if is := y.pod("12345671"); is.ID != id || is.IP != was.IP || is.Infra.State != sandbox.Running || len(is.Containers) != 1 {
		t.Errorf("it was %+v, is %+v", was, is)
	}
	if is, err := y.Look(y.ctx, was); err != nil || is.IP != was.IP {
		t.Errorf("Look = %+v, %v", is, err)
	}
	if id := y.up(numbered(2, true)); y.pod("12345672").IP == was.IP {
		t.Errorf("%s has the other's address", id)
	}
	// A reboot, as far as it can be had.
	if err := errors.Join(y.StopContainer(y.ctx, c, 0), mount.Unmount(y.dir())); err != nil {
		t.Fatal(err)
	}
	if is := y.pod("12345671"); is.Infra.State != sandbox.Exited || is.IP != "" || len(is.Containers) != 1 {
		t.Errorf("after a reboot it is %+v", is)
	}
	for n := 1; n <= 2; n++ {
		if err := y.RemoveSandbox(y.ctx, numbered(n, true).Name()); err != nil {
			t.Fatal(err)
		}
	}
	y.empty()
	// Records are gone, containers are not.
	id = y.up(s)
	y.run(id, sandbox.ContainerSpec{Sandbox: s, Name: "c"}, "true")
	y.Spaces = space.New(filepath.Join(y.h.Dir, "nowhere"), slog.New(slog.DiscardHandler))
	if is := y.pod("12345671"); is.ID != id || is.Infra.ID != "" || len(is.Containers) != 1 {
		t.Errorf("without a record it is %+v", is)
	}
	if err := y.RemoveSandbox(y.ctx, id); err != nil {
		t.Fatal(err)
	}
	if ps, err := y.Pods(y.ctx); len(ps) > 0 || err != nil {
		t.Errorf("left: %+v, %v", ps, err)
	}
}

// TestBareBesidePods: pods of both sorts on one network, made at once, have addresses of their
// own and reach each other; and what holds the network up may go.
func TestBareBesidePods(t *testing.T) {
	y := newYard(t)
	const each = 3
	var g errgroup.Group
	for n := range 2 * each {
		s := numbered(n, n%2 == 0)
		g.Go(func() error {
			_, err := y.CreateSandbox(y.ctx, s)
			if err == nil {
				err = y.StartSandbox(y.ctx, s)
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	y.h.Podman(t, "pod", "rm", "-f", "-t", "0", "skerry-network")
	addresses := map[string]bool{}
	var pages []string
	for n := range 2 * each {
		p := y.pod(uid(n))
		if strings.Contains(p.ID, "_") != (n%2 == 0) {
			t.Errorf("pod %d is %s", n, p.ID)
		}
		if addresses[p.IP] || p.IP == "" {
			t.Errorf("pod %d has the address %q, others %v", n, p.IP, addresses)
		}
		addresses[p.IP] = true
		s := numbered(n, n%2 == 0)
		y.run(p.ID, sandbox.ContainerSpec{Sandbox: s, Name: "c"}, "echo page > /tmp/index.html; httpd -p 80 -h /tmp")
		pages = append(pages, fmt.Sprintf("http://%s/index.html", p.IP))
	}
	fetch := filepath.Join(t.TempDir(), "fetch")
	if out, err := exec.CommandContext(y.ctx, "go", "build", "-o", fetch, "github.com/skerry/skerry/deploy/setup/fetch").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for n := range 2 {
		inside, err := y.NetworkOf(y.ctx, y.pod(uid(n)))
		if err != nil {
			t.Fatal(err)
		}
		for _, url := range pages {
			out, err := exec.CommandContext(y.ctx, "nsenter", "--net="+inside, fetch, url).CombinedOutput()
			if err != nil || !strings.Contains(string(out), "HTTP 200") || !strings.Contains(string(out), "page") {
				t.Errorf("pod %d gets from %s %q, %v", n, url, out, err)
			}
		}
	}
	for n := range 2 * each {
		if err := y.RemoveSandbox(y.ctx, y.pod(uid(n)).ID); err != nil {
			t.Error(err)
		}
	}
	y.empty()
	y.up(numbered(8, true)) // and the network comes up again
	if err := y.RemoveNetwork(y.ctx, network); err == nil {
		t.Error("a network in use was removed")
	}
}

// TestBareTogetherAfterTheBridge: the bridge is gone when several start at once, and is made once.
func TestBareTogetherAfterTheBridge(t *testing.T) {
	y := newYard(t)
	const n = 6
	for i := range n {
		if _, err := y.CreateSandbox(y.ctx, numbered(i, true)); err != nil {
			t.Fatal(err)
		}
	}
	y.h.Podman(t, "pod", "rm", "-f", "-t", "0", "skerry-network")
	var g errgroup.Group
	for i := range n {
		g.Go(func() error { return y.StartSandbox(y.ctx, numbered(i, true)) })
	}
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
	for i := range n {
		if err := y.RemoveSandbox(y.ctx, numbered(i, true).Name()); err != nil {
			t.Error(err)
		}
	}
	y.empty()
}

// TestNoBare: where Podman gives out all addresses, every pod is Podman's.
func TestNoBare(t *testing.T) {
	y := newYard(t)
	if err := y.RemoveNetwork(y.ctx, network); err != nil {
		t.Fatal(err)
	}
	y.h.Podman(t, "network", "create", "--subnet", "10.244.7.0/24", network)
	id := y.up(numbered(1, true))
	if p := y.pod("12345671"); p.ID != id || strings.Contains(id, "_") || p.Infra.State != sandbox.Running || p.IP == "" {
		t.Errorf("%s: %+v", id, p)
	}
}

func uid(n int) string { return fmt.Sprint("1234567", n) }
