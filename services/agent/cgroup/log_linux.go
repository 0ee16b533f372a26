package cgroup

import (
	"errors"

	"golang.org/x/sys/unix"
)

// kernelLog reads the kernel's log from its oldest record on: it tells also of kills
// that nobody watched. The kernel names at most ten in five seconds, so that this
// stands beside the counts of the cgroups themselves.
type kernelLog struct {
	path string
	fd   int // 0 before the first use, -1 if it cannot be read
}

// open tells whether the log can be read.
func (l *kernelLog) open() bool {
	if l.fd == 0 {
		l.fd = -1
		if fd, err := unix.Open(l.path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0); err == nil {
			l.fd = fd
		}
	}
	return l.fd > 0
}

// drain calls each with every record that has come since the last call.
func (l *kernelLog) drain(each func(record string)) {
	if !l.open() {
		return
	}
	var record [8 << 10]byte // the longest that the kernel writes
	for {
		n, err := unix.Read(l.fd, record[:])
		switch {
		case errors.Is(err, unix.EPIPE), errors.Is(err, unix.EINTR):
			continue // records were overwritten before they were read: the next ones are there
		case err != nil, n == 0:
			return // unix.EAGAIN: that was all
		}
		each(string(record[:n]))
	}
}
