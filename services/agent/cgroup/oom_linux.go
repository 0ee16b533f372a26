package cgroup

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// watch follows the kernel's count of processes that it killed in a cgroup for lack of
// memory. The file can be read while the cgroup exists. On v1 the kernel also
// adds to an eventfd: once for each such lack, and once when the cgroup is removed; what
// it has added stays readable.
type watch struct {
	v2     bool
	events int // memory.oom_control or memory.events; 0 is none
	notice int // the eventfd; 0 is none
}

// begin starts to follow d; what it cannot follow it leaves out.
func begin(d dirs) watch {
	w := watch{v2: d.v2}
	name := "memory.oom_control"
	if d.v2 {
		name = "memory.events"
	}
	fd, err := unix.Open(filepath.Join(d.memory, name), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return w
	}
	w.events = fd
	if d.v2 {
		return w
	}
	notice, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return w
	}
	order := fmt.Sprintf("%d %d", notice, fd)
	if err := os.WriteFile(filepath.Join(d.memory, "cgroup.event_control"), []byte(order), 0o600); err != nil {
		_ = unix.Close(notice)
		return w
	}
	w.notice = notice
	return w
}

// killed tells whether a process was killed.
func (w *watch) killed() bool {
	if w.events == 0 {
		return false
	}
	var text [512]byte
	n, err := unix.Pread(w.events, text[:], 0)
	if err == nil {
		return count(string(text[:n])) > 0
	}
	if w.notice == 0 {
		return false
	}
	// The cgroup is gone, which is one notice.
	var b [8]byte
	if _, err := unix.Read(w.notice, b[:]); err != nil {
		return false
	}
	return binary.NativeEndian.Uint64(b[:]) > 1
}

func (w *watch) close() {
	for _, fd := range []int{w.events, w.notice} {
		if fd > 0 {
			_ = unix.Close(fd)
		}
	}
	*w = watch{}
}

// count is the line oom_kill of memory.oom_control or memory.events.
func count(text string) int64 {
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(line, "oom_kill "); ok {
			return number(v)
		}
	}
	return 0
}
