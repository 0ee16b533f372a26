//go:build linux

package disk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Time limits of what is done to a device. A file system is checked and made for as long as it takes
// on a large one; one that is stopped in the middle is begun again.
const (
	probeLimit = time.Minute
	makeLimit  = time.Hour
)

// defaultType is the file system of a disk whose pod names none.
const defaultType = "ext4"

// formatAndMount mounts device at a directory and gives it a file system before, if it has nothing on it at
// all. What the kubelet does (SafeFormatAndMount of k8s.io/mount-utils), with its words.
func (h Host) formatAndMount(ctx context.Context, device, at, fstype string, readOnly bool) error {
	has, err := h.format(ctx, device)
	if err != nil {
		return fmt.Errorf("failed to get disk format of disk %s: %w", device, err)
	}
	want := cmp.Or(fstype, defaultType)
	switch {
	case has == "" && readOnly:
		return fmt.Errorf("cannot mount unformatted disk %s as we are manipulating it in read-only mode", device)
	case has == "":
		err = h.make(ctx, device, want)
	case !readOnly:
		err = h.check(ctx, device)
	}
	if err != nil {
		return err
	}
	if err := os.MkdirAll(at, 0o750); err != nil {
		return err
	}
	return mountDevice(device, at, want, has, readOnly)
}

// mountDevice asks the kernel itself: mount(8) would run whatever program the host has for a type
// that a pod's author named.
func mountDevice(device, at, want, has string, readOnly bool) error {
	var flags uintptr
	if readOnly {
		flags |= unix.MS_RDONLY
	}
	err := ofDevices(want)
	if err == nil {
		err = unix.Mount(device, at, want, flags, "")
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.ENODEV):
		return fmt.Errorf("mount failed: unknown filesystem type '%s'", want)
	case has != "" && has != want:
		return fmt.Errorf("mount failed: %s holds %s, not %s: %w", device, has, want, err)
	case errors.Is(err, unix.EINVAL):
		return fmt.Errorf("mount failed: %s: wrong fs type, bad option, bad superblock on %s: %w", at, device, err)
	}
	return fmt.Errorf("mount failed: %s on %s, type %s: %w", device, at, want, err)
}

// errNoDevice is about a type of file system that is on no device.
var errNoDevice = errors.New("file systems of this type are on no device")

// ofDevices fails for a type that is not one of devices. The kernel would mount it all the same, whatever the disk
// holds: a pod whose author names proc could write to the host's settings.
func ofDevices(fstype string) error {
	// It has the kernel load what knows the type, if there is something, and mounts nothing.
	fd, err := unix.Fsopen(fstype, unix.FSOPEN_CLOEXEC)
	if err != nil {
		return fmt.Errorf("find type of file system: %w", err)
	}
	defer func() { _ = unix.Close(fd) }()
	known, err := os.ReadFile("/proc/filesystems")
	if err != nil {
		return fmt.Errorf("list types of file systems: %w", err)
	}
	base, _, _ := strings.Cut(fstype, ".")
	for line := range strings.Lines(string(known)) {
		if f := strings.Fields(line); len(f) == 1 && f[0] == base {
			return nil
		}
	}
	return errNoDevice
}

// Exit codes of blkid(8) and fsck(8).
const (
	nothingFound   = 2
	errorsLeft     = 4
	partitionsOnly = "unknown data, probably partitions"
)

// format is the file system on a device, or what else is on it; "" means that it is empty.
func (h Host) format(ctx context.Context, device string) (string, error) {
	out, err := h.run(ctx, probeLimit, "blkid", "-p", "-s", "TYPE", "-s", "PTTYPE", "-o", "export", device)
	if exited(err, nothingFound) {
		// It says the same of a device that it cannot read, which is not empty for that.
		return "", readable(device)
	}
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	var fstype, table string
	for line := range strings.Lines(out) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		switch {
		case key == "":
		case !ok:
			return "", fmt.Errorf("blkid returns invalid output: %s", out)
		case key == "TYPE":
			fstype = value
		case key == "PTTYPE":
			table = value
		}
	}
	if table != "" {
		return partitionsOnly, nil
	}
	if fstype == "" {
		return "", fmt.Errorf("blkid returns invalid output: %s", out)
	}
	return fstype, nil
}

// readable fails for a device whose beginning cannot be read.
func readable(device string) error {
	f, err := os.Open(device)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	if _, err := f.ReadAt(make([]byte, 4096), 0); err != nil {
		return fmt.Errorf("read %s: %w", device, err)
	}
	return nil
}

// make gives an empty device a file system.
func (h Host) make(ctx context.Context, device, fstype string) error {
	if strings.ContainsFunc(fstype, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') }) {
		return fmt.Errorf("%q is no type of a file system", fstype)
	}
	var args []string
	switch fstype {
	case "ext3", "ext4":
		args = []string{"-F", "-m0"}
	case "xfs":
		args = []string{"-f"}
	}
	out, err := h.run(ctx, makeLimit, "mkfs."+fstype, append(args, device)...)
	if err != nil {
		return fmt.Errorf("format of disk %q failed: type:(%q) errcode:(%w) output:(%s)", device, fstype, err, out)
	}
	return nil
}

// check repairs what can be repaired without asking. A host without fsck does not, as the kubelet.
func (h Host) check(ctx context.Context, device string) error {
	out, err := h.run(ctx, makeLimit, "fsck", "-a", device)
	var missing *MissingError
	switch {
	case errors.As(err, &missing):
		return nil
	case exited(err, errorsLeft):
		return fmt.Errorf("'fsck' found errors on device %s but could not correct them: %s", device, out)
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return nil // any other code says that it could not look, which mounting will tell
}
