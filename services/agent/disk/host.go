//go:build linux

package disk

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/skerry/skerry/services/agent/command"
)

// Host is where the host has its devices, what the kernel tells of them, and its programs.
type Host struct {
	Dev string // /dev
	Sys string // /sys
	// Programs is a directory that is searched before the usual ones.
	Programs string
	// Patience is how long a device may take to appear; 0 is 30 s, as for the kubelet.
	Patience time.Duration
}

func (h Host) complete() Host {
	h.Dev, h.Sys = cmp.Or(h.Dev, "/dev"), cmp.Or(h.Sys, "/sys")
	h.Patience = cmp.Or(h.Patience, 30*time.Second)
	return h
}

// MissingError is about a program that the host does not have.
type MissingError struct{ Program string }

func (e *MissingError) Error() string {
	return fmt.Sprintf("executable file not found in $PATH: this host has no %s; install %s", e.Program, from(e.Program))
}

// from is the package that a program usually comes in.
func from(program string) string {
	switch program {
	case "iscsiadm":
		return "open-iscsi (iscsi-initiator-utils)"
	case "multipath":
		return "multipath-tools (device-mapper-multipath)"
	case "mkfs.xfs":
		return "xfsprogs"
	case "mkfs.btrfs":
		return "btrfs-progs"
	case "mkfs.ext2", "mkfs.ext3", "mkfs.ext4":
		return "e2fsprogs"
	}
	return "util-linux, or what its file system's tools are in"
}

// usual are searched beside $PATH: a service's often lacks them.
var usual = []string{"/usr/local/sbin", "/usr/sbin", "/sbin"}

func (h Host) program(name string) (string, error) {
	for _, dir := range append([]string{h.Programs}, usual...) {
		path := filepath.Join(dir, name)
		if dir == "" {
			continue
		}
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", &MissingError{name}
	}
	return path, nil
}

// mostOutput bounds what is kept of a program's output.
const mostOutput = 16 << 10

// capped keeps the beginning of what is written to it.
type capped struct{ bytes.Buffer }

func (c *capped) Write(p []byte) (int, error) {
	if room := mostOutput - c.Len(); room > 0 {
		c.Buffer.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

// run runs a program of the host for limit at most, and returns what it printed.
func (h Host) run(ctx context.Context, limit time.Duration, name string, args ...string) (string, error) {
	path, err := h.program(name)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := command.New(ctx, path, args...)
	cmd.Env = append(cmd.Environ(), "LC_ALL=C")
	var out capped
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("no answer: %w", ctx.Err())
	}
	return strings.TrimSpace(out.String()), err
}

// exited tells whether err is that a program ended with one of codes.
func exited(err error, codes ...int) bool {
	var e *exec.ExitError
	return errors.As(err, &e) && slices.Contains(codes, e.ExitCode())
}

// block is the device that path leads to, which must be one of the host's block devices.
func (h Host) block(path string) (string, error) {
	device, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", fmt.Errorf("device %s does not exist: %w", path, err)
	}
	inside := strings.HasPrefix(device, "/dev/") || strings.HasPrefix(device, h.Dev+"/")
	info, err := os.Lstat(device)
	if err != nil {
		return "", err
	}
	if !inside || info.Mode()&os.ModeDevice == 0 || info.Mode()&os.ModeCharDevice != 0 {
		return "", fmt.Errorf("%s leads to %s, which is no block device", path, device)
	}
	return device, nil
}

// multipath is the device-mapper device that device is a path of; "" if there is none.
func (h Host) multipath(device string) string {
	base := filepath.Base(device)
	if strings.HasPrefix(base, "dm-") {
		return device
	}
	entries, _ := os.ReadDir(filepath.Join(h.Sys, "block"))
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), "dm-") {
			continue
		}
		if _, err := os.Lstat(filepath.Join(h.Sys, "block", e.Name(), "slaves", base)); err == nil {
			return filepath.Join(h.Dev, e.Name())
		}
	}
	return ""
}

// paths are the devices that a multipath device is made of.
func (h Host) paths(dm string) []string {
	entries, _ := os.ReadDir(filepath.Join(h.Sys, "block", filepath.Base(dm), "slaves"))
	var out []string
	for _, e := range entries {
		out = append(out, filepath.Join(h.Dev, e.Name()))
	}
	return out
}

// idle fails while somebody has the device: the kernel gives it to one exclusive user only,
// and a mounted file system is one.
func idle(device string) error {
	fd, err := unix.Open(device, unix.O_RDONLY|unix.O_EXCL|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENXIO) || errors.Is(err, unix.ENODEV) {
		return nil // it is gone
	}
	if err != nil {
		return fmt.Errorf("device %s is still in use: %w", device, err)
	}
	return unix.Close(fd)
}

// await looks for something each moment until it is there, patience is over, or ctx ends.
func await(ctx context.Context, patience time.Duration, found func() bool) bool {
	const moment = 200 * time.Millisecond
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(moment)
	defer tick.Stop()
	for {
		if found() {
			return true
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			return found()
		case <-ctx.Done():
			return false
		}
	}
}
