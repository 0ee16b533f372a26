package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/skerry/skerry/deploy/lab"
	"github.com/skerry/skerry/services/agent/mount"
	"github.com/skerry/skerry/services/agent/podman/engine"
)

// image is what every measured container runs: one static binary.
const image = "localhost/skerry-hello:v1"

// machine is a Podman with roots and a network namespace of its own, and the
// binary as it was at first, so that a build during the run changes nothing.
type machine struct {
	dir    string
	binary string
	netns  string
	log    *os.File // of all processes
	podman *engine.Service
	raw    *raw
}

// prepare makes the machine; on failure everything is removed.
func prepare(ctx context.Context, binary string) (m *machine, err error) {
	checkout, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("/var/tmp", "skb") // short: a socket's path has 107 bytes
	if err != nil {
		return nil, err
	}
	m = &machine{dir: dir, binary: filepath.Join(dir, "skerry"), netns: fmt.Sprintf("skbench%d", os.Getpid())}
	m.raw = newRaw(m.options().Socket)
	defer func() {
		if err != nil {
			err = errors.Join(err, m.remove())
		}
	}()
	if err := keep(binary, m.binary); err != nil {
		return m, fmt.Errorf("build it with `go tool task build`: %w", err)
	}
	if m.log, err = os.OpenFile(m.path("log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644); err != nil {
		return m, err
	}
	if err := m.options().Prepare(); err != nil {
		return m, err
	}
	if err := errors.Join(command("ip", "netns", "add", m.netns), command("ip", "-n", m.netns, "link", "set", "lo", "up"), m.wrap()); err != nil {
		return m, err
	}
	images := &lab.Lab{Options: lab.Options{Dir: dir, Binary: filepath.Join(checkout, "bin", "skerry")}}
	if err := images.BuildHello(); err != nil {
		return m, err
	}
	return m, m.startPodman(ctx)
}

// keep links path to binary: a copy's pages would lie otherwise in the page cache, in
// larger pieces, and count for more memory. Across file systems there is no other way.
func keep(binary, path string) error {
	if os.Link(binary, path) == nil {
		return nil
	}
	content, err := os.ReadFile(binary)
	if err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o755)
}

func (m *machine) path(names ...string) string {
	return filepath.Join(append([]string{m.dir}, names...)...)
}

func (m *machine) options() engine.Options {
	return engine.Options{
		Socket: m.path("podman.sock"), Dir: m.path("p"), ImageStore: m.path("images"),
		Netns: "/run/netns/" + m.netns, Conf: m.path("containers.conf"),
	}
}

// wrap makes a `podman` that is this machine's, for a `skerry up` that starts
// Podman's service itself.
func (m *machine) wrap() error {
	argv, env := m.options().Args()
	path, err := exec.LookPath("podman")
	if err != nil {
		return err
	}
	line := "exec env " + strings.Join(append(env, argv...), " ") + ` "$@"` + "\n"
	line = strings.Replace(line, " podman ", " "+path+" ", 1)
	if err := os.MkdirAll(m.path("bin"), 0o755); err != nil {
		return err
	}
	return os.WriteFile(m.path("bin", "podman"), []byte("#!/bin/sh\n"+line), 0o755)
}

// environ is what the machine's skerry processes get.
func (m *machine) environ(config string) []string {
	return append(os.Environ(), "PATH="+m.path("bin")+":"+os.Getenv("PATH"), "SKERRY_CONFIG="+config)
}

func (m *machine) startPodman(ctx context.Context) error {
	var err error
	m.podman, err = engine.Start(ctx, m.options(), m.log)
	return err
}

func (m *machine) stopPodman() {
	if m.podman != nil {
		m.raw.http.CloseIdleConnections()
		m.podman.Stop()
		m.podman = nil
	}
}

// remove removes everything that was made.
func (m *machine) remove() error {
	var errs []error
	if m.podman != nil {
		errs = append(errs, command(m.path("bin", "podman"), "pod", "rm", "--all", "--force", "--time=0"))
		errs = append(errs, command(m.path("bin", "podman"), "rm", "--all", "--force", "--time=0"))
	}
	m.stopPodman()
	if _, err := os.Stat("/run/netns/" + m.netns); err == nil {
		errs = append(errs, command("ip", "netns", "del", m.netns))
	}
	errs = append(errs, mount.Unmount(m.path("agent", "agent")))
	for _, d := range []string{m.path("p", "root", "overlay"), m.path("images", "overlay")} {
		_ = command("umount", d) // Podman's overlay leaves mounts behind, if it was used
	}
	if m.log != nil {
		errs = append(errs, m.log.Close())
	}
	return errors.Join(append(errs, os.RemoveAll(m.dir))...)
}

// command runs a command; the error holds what it said.
func command(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", filepath.Base(name), strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
