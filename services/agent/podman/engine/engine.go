// Package engine runs Podman's API service where none runs, with the settings that
// this machine needs.
//
// It reads what the kernel tells of capabilities and cgroups, writes a
// containers.conf of its own (never the host's), and starts one child process.
// What always holds: a setting is made only where the machine was seen to need it.
package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Options choose a Podman: the host's own (all empty but Socket), or one with roots
// and a network namespace of its own.
type Options struct {
	// Socket is where the API is served.
	Socket string
	// Dir, if set, holds root, runroot, tmpdir and network configuration.
	Dir string
	// ImageStore is a further, read-only image store.
	ImageStore string
	// Netns is the path of a network namespace to run in.
	Netns string
	// Registries is a registries.conf in place of the host's.
	Registries string
	// Conf is where the settings are written, if the machine needs any.
	Conf string
}

// Args returns the command line that runs podman args with these options, and what
// to add to the environment.
func (o Options) Args(args ...string) (argv, env []string) {
	if o.Netns != "" {
		// Not `ip netns exec`: it would hide the cgroup mounts.
		argv = append(argv, "nsenter", "--net="+o.Netns)
	}
	argv = append(argv, "podman")
	if o.Dir != "" {
		argv = append(argv, "--root", filepath.Join(o.Dir, "root"), "--runroot", filepath.Join(o.Dir, "run"),
			"--tmpdir", filepath.Join(o.Dir, "tmp"), "--network-config-dir", filepath.Join(o.Dir, "net"))
	}
	if o.ImageStore != "" {
		argv = append(argv, "--storage-opt", "additionalimagestore="+o.ImageStore)
	}
	if o.Conf != "" {
		env = append(env, "CONTAINERS_CONF="+o.Conf)
	}
	if o.Registries != "" {
		env = append(env, "CONTAINERS_REGISTRIES_CONF="+o.Registries)
	}
	return append(argv, args...), env
}

// ServiceArgs is the command line of the API service.
func (o Options) ServiceArgs() (argv, env []string) {
	return o.Args("system", "service", "--time=0", "unix://"+o.Socket)
}

// Prepare makes the directories and writes the settings.
func (o Options) Prepare() error {
	dirs := []string{filepath.Dir(o.Socket)}
	if o.Dir != "" {
		for _, d := range []string{"root", "run", "tmp", "net"} {
			dirs = append(dirs, filepath.Join(o.Dir, d))
		}
	}
	for _, d := range dirs {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return fmt.Errorf("prepare podman: %w", err)
		}
	}
	if o.Conf == "" {
		return nil
	}
	if err := os.WriteFile(o.Conf, []byte(Settings()), 0o644); err != nil {
		return fmt.Errorf("write podman's settings: %w", err)
	}
	return nil
}

// Settings returns the containers.conf that this machine needs.
func Settings() string {
	var containers, engine strings.Builder
	if !hasCapability(capSysResource) {
		// Podman asks for its own maxima by default, which it may not raise here.
		containers.WriteString("default_ulimits = [\"nofile=4096:4096\", \"nproc=4096:4096\"]\n")
	}
	if _, err := os.Stat("/run/systemd/system"); err != nil {
		engine.WriteString("cgroup_manager = \"cgroupfs\"\nevents_logger = \"file\"\n")
	}
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err != nil {
		// crun refuses cgroups v1 in hybrid mode.
		if _, err := exec.LookPath("runc"); err == nil {
			engine.WriteString("runtime = \"runc\"\n")
		}
	}
	return "[containers]\n" + containers.String() + "[engine]\n" + engine.String()
}

const capSysResource = 24

// hasCapability tells whether this process has capability n effectively.
func hasCapability(n uint) bool {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, "CapEff:"); ok {
			caps, err := strconv.ParseUint(strings.TrimSpace(v), 16, 64)
			return err == nil && caps&(1<<n) != 0
		}
	}
	return false
}

// Service is Podman's API service as a child of this process.
type Service struct {
	cmd  *exec.Cmd
	done chan error
}

// Start prepares and starts the service and returns when its socket answers. It
// dies with this process; containers do not.
func Start(ctx context.Context, o Options, log io.Writer) (*Service, error) {
	if err := o.Prepare(); err != nil {
		return nil, err
	}
	argv, env := o.ServiceArgs()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), env...)
	// Containers' monitors leave files where they are started.
	cmd.Dir = filepath.Dir(o.Socket)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = childOf()
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start podman (is it installed?): %w", err)
	}
	s := &Service{cmd: cmd, done: make(chan error, 1)}
	go func() { s.done <- cmd.Wait() }()
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for !Answers(o.Socket) {
		select {
		case err := <-s.done:
			return nil, fmt.Errorf("podman's service ended at once: %w", errors.Join(err))
		case <-ctx.Done():
			s.Stop()
			return nil, fmt.Errorf("podman's service does not answer on %s: %w", o.Socket, ctx.Err())
		case <-poll.C:
		}
	}
	return s, nil
}

// Answers tells whether something accepts connections on socket.
func Answers(socket string) bool {
	c, err := net.DialTimeout("unix", socket, time.Second)
	if err != nil {
		return false
	}
	c.Close()
	return true
}

// Pid is the service's process.
func (s *Service) Pid() int { return s.cmd.Process.Pid }

// Stop ends the service and waits.
func (s *Service) Stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.done: // how it ended is of no interest: it was told to
	case <-time.After(5 * time.Second):
		_ = s.cmd.Process.Kill()
		_ = <-s.done
	}
}
