package space

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/skerry/skerry/services/agent/thread"
)

// kernel is Linux.
type kernel struct{}

// namespaces are those that are pinned.
var namespaces = []struct {
	name string // of the file
	kind thread.Namespace
}{{networkPin, thread.Network}, {ipcPin, thread.IPC}}

// memoryOptions are those of a pod's /dev/shm: Kubernetes and Podman have 64 MiB of it.
const memoryOptions = "mode=1777,size=65536k"

// memoryLabel lets every container use it where there is SELinux.
const memoryLabel = `,context="system_u:object_r:container_file_t:s0"`

// pin makes namespaces and mounts them on files of dir.
func (kernel) pin(dir string) error {
	for _, n := range namespaces {
		if err := os.WriteFile(filepath.Join(dir, n.name), nil, 0o600); err != nil {
			return fmt.Errorf("make mount point: %w", err)
		}
	}
	memory := filepath.Join(dir, memoryDir)
	if err := os.Mkdir(memory, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make mount point: %w", err)
	}
	if err := thread.Apart(func() error { return unshare(dir) }, thread.Network, thread.IPC); err != nil {
		return err
	}
	options := memoryOptions
	if _, err := os.Stat("/sys/fs/selinux/enforce"); err == nil {
		options += memoryLabel
	}
	if err := unix.Mount("shm", memory, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, options); err != nil {
		return fmt.Errorf("mount shared memory: %w", err)
	}
	return nil
}

// unshare makes the namespaces, and pins them.
func unshare(dir string) error {
	flags := 0
	for _, n := range namespaces {
		flags |= n.kind.Flag
	}
	if err := unix.Unshare(flags); err != nil {
		return fmt.Errorf("make namespaces: %w", err)
	}
	return settle(dir)
}

// settle prepares the namespaces that the thread is in, and pins them.
func settle(dir string) error {
	h, err := netlink.NewHandle()
	if err != nil {
		return fmt.Errorf("open netlink: %w", err)
	}
	defer h.Close()
	lo, err := h.LinkByName("lo")
	if err == nil {
		err = h.LinkSetUp(lo)
	}
	if err != nil {
		return fmt.Errorf("set up loopback: %w", err)
	}
	// As Podman's networks have it; where there is no IPv6 there is no such file.
	err = os.WriteFile("/proc/sys/net/ipv6/conf/default/autoconf", []byte("0"), 0o600)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("set up network: %w", err)
	}
	for _, n := range namespaces {
		if err := unix.Mount("/proc/thread-self/ns/"+n.kind.Name, filepath.Join(dir, n.name), "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("pin namespace: %w", err)
		}
	}
	return nil
}

// unpin unmounts what pin mounted; processes in the namespaces keep them.
func (kernel) unpin(dir string) error {
	for _, name := range []string{memoryDir, ipcPin, networkPin} {
		path := filepath.Join(dir, name)
		for {
			err := unix.Unmount(path, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
			if err == unix.EINVAL || err == unix.ENOENT { // not mounted any more, or never made
				break
			}
			if err != nil {
				return &fs.PathError{Op: "unmount", Path: path, Err: err}
			}
		}
	}
	return nil
}

// alive tells whether the namespaces are pinned and the memory is there: without it the next
// container would have the host's disk for that, without a limit.
func (kernel) alive(dir string) bool {
	for _, n := range namespaces {
		if !mounted(filepath.Join(dir, n.name), unix.NSFS_MAGIC) {
			return false
		}
	}
	return mounted(filepath.Join(dir, memoryDir), unix.TMPFS_MAGIC)
}

// mounted tells whether a path is on a file system of that type.
func mounted(path string, kind int64) bool {
	var st unix.Statfs_t
	return unix.Statfs(path, &st) == nil && int64(st.Type) == kind //nolint:unconvert // it is narrower elsewhere
}
