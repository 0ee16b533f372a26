//go:build linux

package thread

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// where are the namespaces that threads of this process are in.
func where(t *testing.T) map[string]bool {
	t.Helper()
	all, err := filepath.Glob("/proc/self/task/*/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	in := map[string]bool{}
	for _, path := range all {
		if ns, err := os.Readlink(path); err == nil { // a thread may end meanwhile
			in[ns] = true
		}
	}
	return in
}

// TestApart: while some threads are in namespaces of their own, and once they are not any more.
func TestApart(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("namespaces are made: run the tests as root")
	}
	refused := errors.New("refused")
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			err := Apart(func() error {
				if unix.Gettid() == unix.Getpid() {
					t.Error("it runs on the first thread")
				}
				if err := unix.Unshare(unix.CLONE_NEWNET | unix.CLONE_NEWIPC); err != nil {
					t.Error(err)
				}
				if i%2 == 0 {
					return refused
				}
				return nil
			}, Network, IPC)
			if i%2 == 0 != errors.Is(err, refused) {
				t.Errorf("%d: %v", i, err)
			}
		})
	}
	all.Wait()
	if in := where(t); len(in) != 1 {
		t.Errorf("threads are in %d networks: %v", len(in), in)
	}
}

// TestCannotGoBack: a thread that stays elsewhere ends.
func TestCannotGoBack(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("namespaces are made: run the tests as root")
	}
	const other = unix.CLONE_NEWUTS
	var id int
	err := Apart(func() error {
		id = unix.Gettid()
		return unix.Unshare(unix.CLONE_NEWNET)
	}, Namespace{"net", other}, Network) // the first of which the kernel refuses
	if err == nil {
		t.Fatal("it went back to a namespace of another kind")
	}
	for begun := time.Now(); unix.Tgkill(unix.Getpid(), id, 0) == nil; {
		if time.Since(begun) > 10*time.Second {
			t.Fatal("the thread lives on")
		}
		if err := Apart(func() error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if in := where(t); len(in) != 1 {
		t.Errorf("threads are in %d networks: %v", len(in), in)
	}
}
