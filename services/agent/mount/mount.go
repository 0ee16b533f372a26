//go:build linux

// Package mount reads the kernel's table of mounts, and mounts and unmounts on the host.
//
// Reads: /proc/self/mountinfo. Writes: mounts. What always holds: what is mounted is what the
// kernel says, not what somebody remembers, and asking waits for no file system.
package mount

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Entry is one mount of the kernel's table.
type Entry struct {
	Device   string // major:minor of the file system; all mounts of one share it
	At       string
	ReadOnly bool // this mount is
	Type     string
	Source   string
	// Frozen tells that the file system itself is mounted read-only, so all its mounts are.
	Frozen bool
}

// Table lists all mounts, in the order in which they were made.
func Table() ([]Entry, error) { return read(func(string) bool { return true }) }

// Below lists the mounts at or below path, in the order in which they were made.
func Below(path string) ([]Entry, error) { return read(below(path)) }

// At is what is mounted at path itself: the last one, if several lie on one another.
func At(path string) (Entry, bool, error) {
	all, err := read(func(at string) bool { return at == path })
	if err != nil || len(all) == 0 {
		return Entry{}, false, err
	}
	return all[len(all)-1], true, nil
}

func below(path string) func(string) bool {
	prefix := strings.TrimSuffix(path, "/") + "/"
	return func(at string) bool { return at == path || strings.HasPrefix(at, prefix) }
}

func read(want func(at string) bool) ([]Entry, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("list mounts: %w", err)
	}
	defer func() { _ = f.Close() }()
	return parse(f, want)
}

func parse(r io.Reader, want func(at string) bool) ([]Entry, error) {
	var out []Entry
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 64<<10), 1<<20)
	for lines.Scan() {
		head, tail, _ := strings.Cut(lines.Text(), " - ")
		fields, super := strings.Fields(head), strings.Fields(tail)
		if len(fields) < 5 {
			continue
		}
		e := Entry{Device: fields[2], At: unescape(fields[4])}
		if !want(e.At) {
			continue
		}
		e.ReadOnly = len(fields) > 5 && hasOption(fields[5], "ro")
		if len(super) == 3 {
			e.Type, e.Source, e.Frozen = super[0], unescape(super[1]), hasOption(super[2], "ro")
		}
		out = append(out, e)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("list mounts: %w", err)
	}
	return out, nil
}

func hasOption(list, option string) bool { return slices.Contains(strings.Split(list, ","), option) }

// unescape undoes the kernel's \040 for a space, and the like.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// Unmount unmounts all that is mounted at or below path, also what is in use.
func Unmount(path string) error {
	var errs []error
	// Twice at most: several mounts can lie on one another.
	for range 8 {
		at, err := Below(path)
		if err != nil || len(at) == 0 {
			return errors.Join(append(errs, err)...)
		}
		errs = nil
		for _, m := range slices.Backward(at) {
			if err := unix.Unmount(m.At, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil {
				errs = append(errs, &fs.PathError{Op: "unmount", Path: m.At, Err: err})
			}
		}
	}
	return errors.Join(append(errs, fmt.Errorf("something is still mounted below %s", path))...)
}

// Bind mounts what f is open on at target, which exists; recursive with all mounts below it,
// and readOnly (then all of them).
func Bind(f *os.File, target string, recursive, readOnly bool) error {
	flags := uint(unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC | unix.AT_EMPTY_PATH)
	if recursive {
		flags |= unix.AT_RECURSIVE
	}
	tree, err := unix.OpenTree(int(f.Fd()), "", flags)
	if err != nil {
		return fmt.Errorf("clone mount: %w", err)
	}
	defer func() { _ = unix.Close(tree) }()
	if readOnly {
		attr := &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
		if err := unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, attr); err != nil {
			return fmt.Errorf("make mount read-only: %w", err)
		}
	}
	if err := unix.MoveMount(tree, "", unix.AT_FDCWD, target, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("mount %s: %w", target, err)
	}
	return nil
}
