//go:build linux

package space

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestPin: what is pinned is there until any of it is unmounted, and can be made again.
func TestPin(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("namespaces are made: run the tests as root")
	}
	dir, k := t.TempDir(), kernel{}
	t.Cleanup(func() {
		if err := discard(k, dir); err != nil {
			t.Error(err)
		}
	})
	own, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{networkPin, ipcPin, memoryDir} {
		if err := k.pin(dir); err != nil {
			t.Fatal(err)
		}
		if !k.alive(dir) {
			t.Fatal("it was pinned and is not there")
		}
		if err := unix.Unmount(filepath.Join(dir, name), 0); err != nil {
			t.Fatal(err)
		}
		if k.alive(dir) {
			t.Errorf("it counts as there without %s", name)
		}
		if err := k.unpin(dir); err != nil {
			t.Fatal(err)
		}
	}
	if is, err := os.Readlink("/proc/self/ns/net"); is != own || err != nil {
		t.Errorf("the process was in %s and is in %s, %v", own, is, err)
	}
}
