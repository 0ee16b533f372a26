//go:build linux

package forward

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/skerry/skerry/services/agent/thread"
)

// TestDialInside: connections into another network, from a process of which no thread stays there.
func TestDialInside(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("a network is made: run the tests as root")
	}
	if err := thread.Apart(func() error { return dialOften(t) }, thread.Network); err != nil {
		t.Fatal(err)
	}
	own, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	threads, err := filepath.Glob("/proc/self/task/*/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range threads {
		if ns, err := os.Readlink(path); err == nil && ns != own { // a thread may end meanwhile
			t.Errorf("%s is %s, not %s", path, ns, own)
		}
	}
	if _, err := dialInside(t.Context(), filepath.Join(t.TempDir(), "none"), "80"); !errors.Is(err, errOutside) {
		t.Errorf("where there is no network: %v", err)
	}
}

// dialOften is on a thread of its own, which it takes to a network where a server is.
func dialOften(t *testing.T) error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return err
	}
	if err := loopbackUp(); err != nil {
		return err
	}
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }()
	port := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	path := fmt.Sprintf("/proc/%d/task/%d/ns/net", unix.Getpid(), unix.Gettid())
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			conn, err := dialInside(t.Context(), path, port)
			if err != nil {
				t.Error(err)
				return
			}
			_ = conn.Close()
		})
	}
	all.Wait()
	return nil
}

func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	r, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	r.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, r)
}
