package podman

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/skerry/skerry/services/agent/sandbox"
)

// exits tells of containers whose process ended, from the kernel itself. Podman's
// own event comes some 150 ms later: its monitor first has to start another podman.
type exits struct {
	mu    sync.Mutex
	epoll int // 0 while nobody follows
	wake  int // an eventfd that ends the wait
	byFD  map[int32]sandbox.Key
	byID  map[string]int32
	// onEnd is told the id of a container whose process ended, at once.
	onEnd func(id string)
}

// lookAfter is when to look after a process ended: Podman shows it once its
// monitor has written the exit code, which takes a moment.
var lookAfter = [...]time.Duration{3 * time.Millisecond, 20 * time.Millisecond, 80 * time.Millisecond}

// hint is a time to look at a pod.
type hint struct {
	at  time.Time
	key sandbox.Key
}

// watch follows the process of a running container. It does nothing while nobody
// follows, or if the process is not of this host.
func (x *exits) watch(k sandbox.Key, id string, pid int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if _, known := x.byID[id]; known || x.epoll == 0 || pid <= 0 {
		return
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return // it has ended, or the kernel is older than 5.3: Podman's event will tell
	}
	if err := unix.EpollCtl(x.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}); err != nil {
		_ = unix.Close(fd)
		return
	}
	x.byFD[int32(fd)] = k
	x.byID[id] = int32(fd)
}

// alive tells whether the container's process is followed and has not been seen to end.
func (x *exits) alive(id string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	_, known := x.byID[id]
	return known
}

// leave stops following a container's process.
func (x *exits) leave(id string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if fd, known := x.byID[id]; known {
		delete(x.byID, id)
		delete(x.byFD, fd)
		_ = unix.Close(int(fd))
	}
}

func (x *exits) open() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return fmt.Errorf("follow processes: %w", err)
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err == nil {
		err = unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, wake, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(wake)})
	}
	if err != nil {
		_ = unix.Close(epoll)
		return fmt.Errorf("follow processes: %w", err)
	}
	x.epoll, x.wake = epoll, wake
	x.byFD, x.byID = map[int32]sandbox.Key{}, map[string]int32{}
	return nil
}

func (x *exits) close() {
	x.mu.Lock()
	defer x.mu.Unlock()
	for fd := range x.byFD {
		_ = unix.Close(int(fd))
	}
	_ = unix.Close(x.epoll)
	_ = unix.Close(x.wake)
	x.epoll, x.byFD, x.byID = 0, nil, nil
}

// follow calls emit for pods to look at, until ctx ends. One at a time.
func (x *exits) follow(ctx context.Context, emit func(sandbox.Key)) error {
	if err := x.open(); err != nil {
		return err
	}
	defer x.close()
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		_, _ = unix.Write(x.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	})
	defer func() {
		if !stop() {
			<-ended
		}
	}()
	var hints []hint
	events := make([]unix.EpollEvent, 16)
	for {
		n, err := unix.EpollWait(x.epoll, events, untilNext(hints))
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil && err != unix.EINTR {
			return fmt.Errorf("follow processes: %w", err)
		}
		for _, e := range events[:max(n, 0)] {
			if k, id, ok := x.ended(e.Fd); ok {
				x.onEnd(id)
				for _, d := range lookAfter {
					hints = append(hints, hint{time.Now().Add(d), k})
				}
			}
		}
		hints = fire(hints, emit)
	}
}

// ended forgets a process.
func (x *exits) ended(fd int32) (k sandbox.Key, id string, ok bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if k, ok = x.byFD[fd]; !ok {
		return k, "", false
	}
	delete(x.byFD, fd)
	for i, f := range x.byID {
		if f == fd {
			id = i
			delete(x.byID, i)
		}
	}
	_ = unix.Close(int(fd))
	return k, id, true
}

// untilNext is how many milliseconds to wait for the next hint; -1 is for ever.
func untilNext(hints []hint) int {
	wait := -1
	for _, h := range hints {
		ms := max(int(time.Until(h.at)/time.Millisecond)+1, 0)
		if wait < 0 || ms < wait {
			wait = ms
		}
	}
	return wait
}

// fire emits the hints that are due and returns the others.
func fire(hints []hint, emit func(sandbox.Key)) []hint {
	now := time.Now()
	later := hints[:0]
	for _, h := range hints {
		if h.at.After(now) {
			later = append(later, h)
			continue
		}
		emit(h.key)
	}
	return later
}
