// Package thread runs what changes a thread's namespaces on one that nothing else meets
// afterwards as it was left.
//
// It reads and writes nothing but its thread. What always holds: after Apart no thread of the process
// is in another namespace than before. The thread goes back; if it cannot, it ends.
// The process' first thread, which cannot be ended and which others see as the process, is never used.
package thread

import (
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// Namespace is a kind of namespace that a thread can change for itself.
type Namespace struct {
	Name string // in /proc/<pid>/ns
	Flag int    // for unshare and setns
}

// Namespaces of networks, and of what System V and POSIX queues and memory are named in.
var (
	Network = Namespace{"net", unix.CLONE_NEWNET}
	IPC     = Namespace{"ipc", unix.CLONE_NEWIPC}
)

// Apart runs f on a thread whose namespaces of those kinds f may change, and returns its error. What f
// starts other goroutines for they do on other threads.
func Apart(f func() error, kinds ...Namespace) error {
	done := make(chan error, 1)
	go apart(func() error { return within(f, kinds) }, done)
	return <-done
}

// apart is a goroutine of its own: it ends with its thread if f leaves that locked.
func apart(f func() error, done chan<- error) {
	runtime.LockOSThread()
	if unix.Gettid() != unix.Getpid() {
		done <- f()
		return
	}
	// While this goroutine holds the first thread, another one has another.
	inner := make(chan error, 1)
	go apart(f, inner)
	err := <-inner
	runtime.UnlockOSThread()
	done <- err
}

// within runs f, and unlocks the thread once it is back.
func within(f func() error, kinds []Namespace) error {
	own := make([]int, len(kinds))
	for i, k := range kinds {
		fd, err := unix.Open("/proc/thread-self/ns/"+k.Name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("open own namespace: %w", err)
		}
		defer func() { _ = unix.Close(fd) }() // nothing was written
		own[i] = fd
	}
	err := f()
	for i, k := range kinds {
		if back := unix.Setns(own[i], k.Flag); back != nil {
			return errors.Join(err, fmt.Errorf("leave namespace: %w", back))
		}
	}
	runtime.UnlockOSThread()
	return err
}
