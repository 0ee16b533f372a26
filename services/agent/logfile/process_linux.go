package logfile

import (
	"bytes"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Writer tells whether the process that writes a log still does. Close frees it.
type Writer struct{ fd int }

// Watch watches process pid, whose command line has to contain mark: a pid alone could
// be another process's by now. A process that is not there has ended.
func Watch(pid int, mark string) *Writer {
	if pid <= 0 {
		return &Writer{-1}
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return &Writer{-1}
	}
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil || !bytes.Contains(line, []byte(mark)) {
		_ = unix.Close(fd)
		return &Writer{-1}
	}
	return &Writer{fd}
}

// Alive is false once the process has ended.
func (w *Writer) Alive() bool {
	if w.fd < 0 {
		return false
	}
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(w.fd), Events: unix.POLLIN}}, 0)
	return err != nil || n == 0
}

// Close frees the watch.
func (w *Writer) Close() {
	if w.fd >= 0 {
		_ = unix.Close(w.fd)
	}
}
