//go:build linux

package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/identity"
	"github.com/skerry/skerry/bus/store"
)

// small is a directory on a disk of its own, with room for 48 MB.
func small(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("a disk is mounted: run the tests as root")
	}
	dir := t.TempDir()
	if err := unix.Mount("small", dir, "tmpfs", 0, "size=48m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fill leaves no room on dir's disk until the returned function is called.
func fill(t *testing.T, dir string) (free func()) {
	t.Helper()
	path := filepath.Join(dir, "filler")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if _, err := io.Copy(f, zeros{}); !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
	return func() {
		if err := os.Remove(path); err != nil {
			t.Error(err)
		}
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// TestFullDisk: while there is no room nothing is acknowledged, and once there is, all goes on.
func TestFullDisk(t *testing.T) {
	a, dir := authority(t), small(t)
	s, err := start(t.Context(), Config{DataDir: dir, Identity: a.ServerConfig(), Listen: "127.0.0.1:0"}, 20*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	creds, err := a.Credentials(identity.RoleAPIServer, "system:apiserver")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := bus.Connect(t.Context(), bus.Options{User: "system:apiserver", Creds: creds, InProcess: s})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := store.Provision(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	state, value := store.New(conn, bus.BucketState), make([]byte, 256<<10)
	write := func(name string, patience time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		_, err := state.Create(ctx, bus.Key("desired.configmaps.default."+name), value)
		return err
	}
	if err := write("before", 10*time.Second); err != nil {
		t.Fatal(err)
	}
	url, free := s.URL(), fill(t, dir)
	kept := 0
	for write(fmt.Sprint("full-", kept), time.Second) == nil {
		kept++ // in blocks that had room
	}
	free()
	limit := time.Now().Add(30 * time.Second)
	for n := 0; ; n++ {
		err := write(fmt.Sprint("after-", n), time.Second)
		if err == nil {
			break
		}
		if time.Now().After(limit) {
			t.Fatalf("there is room again, but: %v", err)
		}
	}
	for _, name := range []string{"before", fmt.Sprint("full-", kept-1)} {
		if e, err := state.Get(t.Context(), bus.Key("desired.configmaps.default."+name)); err != nil && (kept > 0 || name == "before") || err == nil && len(e.Value) != len(value) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if s.URL() != url {
		t.Errorf("it was at %s and is at %s", url, s.URL())
	}
}
