//go:build linux

package command

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestNothingGoesOn: what a command has started ends with it.
func TestNothingGoesOn(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "alive")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- New(ctx, "sh", "-c", `sh -c "echo; exec sleep 60" >`+fifo+"; true").Run() }()
	f, err := os.Open(fifo) // once the child has it open
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if _, err := f.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-done; err == nil {
		t.Error("a command that was ended did well")
	}
	gone := make(chan error, 1)
	go func() { _, err := io.ReadAll(f); gone <- err }()
	select {
	case err := <-gone:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Error("its child goes on")
	}
}
