//go:build linux

package mount

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestParse(t *testing.T) {
	const info = `25 1 0:23 / /a\040b/c ro shared:1 - tmpfs tmp\040fs rw
26 1 8:1 / /a\040b rw - ext4 /dev/sda1 ro,errors=continue
27 1 0:23 / /a\040bc rw - tmpfs tmpfs rw
short`
	got, err := parse(strings.NewReader(info), below("/a b"))
	want := []Entry{
		{Device: "0:23", At: "/a b/c", ReadOnly: true, Type: "tmpfs", Source: "tmp fs"},
		{Device: "8:1", At: "/a b", Type: "ext4", Source: "/dev/sda1", Frozen: true},
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
}

// TestBindAndUnmount: a bind is read-only from its first moment on, the last of several mounts is the
// one that is there, and all of them go.
func TestBindAndUnmount(t *testing.T) {
	from, at := t.TempDir(), filepath.Join(t.TempDir(), "a b")
	if err := os.Mkdir(at, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, there, err := At(at); there || err != nil {
		t.Fatalf("before: %v, %v", there, err)
	}
	t.Cleanup(func() { _ = Unmount(at) })
	if err := unix.Mount("under", at, "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	dir, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = dir.Close() }()
	if err := Bind(dir, at, false, true); err != nil {
		t.Fatal(err)
	}
	e, there, err := At(at)
	if !there || err != nil || !e.ReadOnly || e.Source == "under" {
		t.Errorf("bound: %+v, %v, %v", e, there, err)
	}
	if err := os.WriteFile(filepath.Join(at, "f"), nil, 0o600); err == nil {
		t.Error("it can be written to")
	}
	if err := Unmount(at); err != nil {
		t.Fatal(err)
	}
	if left, err := Below(at); len(left) > 0 || err != nil {
		t.Errorf("left: %+v, %v", left, err)
	}
}

// TestCommand: the host's command mounts, and what it says about a failure is told.
func TestCommand(t *testing.T) {
	at := filepath.Join(t.TempDir(), "at")
	if err := os.Mkdir(at, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = Unmount(at) })
	if err := Command(t.Context(), "tmpfs", "-s", at, []string{"ro", "size=64k"}); err != nil {
		t.Fatal(err)
	}
	if e, there, err := At(at); err != nil || !there || e.Type != "tmpfs" || !e.ReadOnly {
		t.Errorf("mounted: %+v, %v, %v", e, there, err)
	}
	err := Command(t.Context(), "nosuchfs", "server:/share", at, nil)
	if err == nil || !strings.Contains(err.Error(), "Mounting arguments: -t nosuchfs -- server:/share "+at) || !strings.Contains(err.Error(), "Output: mount: ") {
		t.Errorf("got %v", err)
	}
}

// TestCommandThatIsGivenUp: the helper that speaks with the server ends with the command that started it.
func TestCommandThatIsGivenUp(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "alive")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	script := "#!/bin/sh\nsh -c 'echo; exec sleep 60' >" + fifo + "\ntrue\n"
	if err := os.WriteFile(filepath.Join(dir, "mount"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- Command(ctx, "nfs", "server:/share", dir, nil) }()
	f, err := os.Open(fifo)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if _, err := f.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-done; err == nil || !strings.Contains(err.Error(), "no answer") {
		t.Errorf("got %v", err)
	}
	gone := make(chan struct{})
	go func() { defer close(gone); _, _ = f.Read(make([]byte, 1)) }()
	select {
	case <-gone:
	case <-time.After(20 * time.Second):
		t.Error("the helper goes on")
	}
}
