//go:build linux

// Package podmantest runs a Podman of its own for a test: its own storage, socket
// and network namespace, with one image that needs no registry.
//
// It writes under one temporary directory and makes one network namespace. What always holds: when the
// test ends, every container, process, mount and namespace that it made is gone. A
// machine that lacks something fails the test and says what to install.
package podmantest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/skerry/skerry/services/agent/mount"
	"github.com/skerry/skerry/services/agent/podman/engine"
)

// Image is a busybox that every Host has.
const Image = "localhost/skerry-test:1"

const install = "apt-get install --no-install-recommends podman runc conmon netavark aardvark-dns catatonit iptables nftables iproute2 util-linux busybox-static"

// Host is a Podman host.
type Host struct {
	Dir    string
	Socket string
	Netns  string // name, for ip netns

	service *exec.Cmd
	log     *os.File
}

var serial atomic.Int64

// Start starts a host, which ends with the test. Short test runs go without.
func Start(t testing.TB) *Host {
	t.Helper()
	if testing.Short() {
		t.Skip("no real Podman in a short run")
	}
	for _, tool := range []string{"podman", "conmon", "nsenter", "ip", "busybox"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("this test needs %s on a Linux host: %s", tool, install)
		}
	}
	if os.Geteuid() != 0 {
		t.Fatal("this test makes network namespaces: run it as root")
	}
	dir, err := os.MkdirTemp("", "skerry") // short: a socket's path has a limit
	if err != nil {
		t.Fatal(err)
	}
	h := &Host{
		Dir: dir, Socket: filepath.Join(dir, "podman.sock"),
		Netns: fmt.Sprintf("skt%d-%d", os.Getpid(), serial.Add(1)),
	}
	t.Cleanup(func() {
		if err := h.stop(); err != nil {
			t.Errorf("clean up podman host: %v", err)
		}
	})
	if err := h.start(); err != nil {
		t.Fatalf("start podman host: %v\n%s", err, h.Log())
	}
	return h
}

func (h *Host) start() error {
	if err := h.options().Prepare(); err != nil {
		return err
	}
	if err := run("ip", "netns", "add", h.Netns); err != nil {
		return err
	}
	if err := run("ip", "-n", h.Netns, "link", "set", "lo", "up"); err != nil {
		return err
	}
	if err := h.Serve(); err != nil {
		return err
	}
	return h.importImage()
}

func (h *Host) options() engine.Options {
	return engine.Options{Socket: h.Socket, Dir: h.Dir, Netns: "/run/netns/" + h.Netns, Conf: filepath.Join(h.Dir, "containers.conf")}
}

// Serve starts the API service; a test that ended it with Kill starts it again.
func (h *Host) Serve() error {
	log, err := os.OpenFile(h.path("log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_ = os.Remove(h.Socket)
	h.log = log
	argv, env := h.options().ServiceArgs()
	h.service = exec.Command(argv[0], argv[1:]...)
	h.service.Env = append(os.Environ(), env...)
	h.service.Stdout, h.service.Stderr = log, log
	h.service.Dir = h.path(".") // containers' monitors leave files where they are started
	if err := h.service.Start(); err != nil {
		return err
	}
	return h.await()
}

// Podman runs the podman command on this host, behind an agent's back.
func (h *Host) Podman(t testing.TB, args ...string) string {
	t.Helper()
	argv, env := h.options().Args(args...)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("podman %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// Signal sends sig to the service's process: a SIGSTOP makes it hang.
func (h *Host) Signal(sig os.Signal) error { return h.service.Process.Signal(sig) }

// Kill ends the service and leaves its containers running.
func (h *Host) Kill() error {
	if err := h.service.Process.Kill(); err != nil {
		return err
	}
	_ = h.service.Wait() // killed: that is its error
	return h.log.Close()
}

// Log is what the service has said.
func (h *Host) Log() string {
	b, _ := os.ReadFile(h.path("log"))
	return string(b)
}

// Client speaks HTTP to the service, as http://d/….
func (h *Host) Client() *http.Client {
	return &http.Client{Timeout: time.Minute, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", h.Socket)
		},
	}}
}

func (h *Host) path(name string) string { return filepath.Join(h.Dir, name) }

// await waits for the service to answer.
func (h *Host) await() error {
	client := h.Client()
	defer client.CloseIdleConnections()
	deadline := time.Now().Add(20 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		resp, err := client.Get("http://d/_ping")
		if err == nil {
			return resp.Body.Close()
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the service does not answer: %w", err)
		}
		<-tick.C
	}
}

// stop removes everything that the host made.
func (h *Host) stop() error {
	var errs []error
	if h.service != nil && h.service.Process != nil {
		_ = h.Signal(syscall.SIGCONT)
		errs = append(errs, h.removeAll())
		_ = h.Signal(syscall.SIGTERM)
		_ = h.service.Wait() // terminated: that is its error
		_ = h.log.Close()
	}
	errs = append(errs, h.quiet(), mount.Unmount(h.Dir)) // Podman's overlay, and what agents mount
	if _, err := os.Stat("/run/netns/" + h.Netns); err == nil {
		errs = append(errs, run("ip", "netns", "delete", h.Netns))
	}
	return errors.Join(append(errs, os.RemoveAll(h.Dir))...)
}

// quiet waits until no podman works on the host's files: containers' monitors start one each
// that tidies up after them, also after what is removed already.
func (h *Host) quiet() error {
	deadline := time.Now().Add(20 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		busy, err := h.busy()
		if err != nil || busy == "" {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the podman of %s does not end", busy)
		}
		<-tick.C
	}
}

// busy is a podman with one of the host's files on its command line, "" if there is none.
func (h *Host) busy() (string, error) {
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, l := range lines {
		text, _ := os.ReadFile(l) // it may have ended
		if name, _, _ := bytes.Cut(text, []byte{0}); filepath.Base(string(name)) == "podman" && bytes.Contains(text, []byte(h.Dir+"/")) {
			return l, nil
		}
	}
	return "", err
}

func run(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return nil
}
