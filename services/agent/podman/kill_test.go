package podman

import (
	"os/exec"
	"syscall"
	"testing"
)

// TestKillOf: a process that is not in the container's cgroup has only its number.
func TestKillOf(t *testing.T) {
	cmd := exec.Command("sleep", "600")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	killOf("0123456789abcdef", cmd.Process.Pid)
	if err := cmd.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("another's process: %v", err)
	}
	killOf("/", cmd.Process.Pid) // every cgroup's path has that
	if err := cmd.Wait(); err == nil || cmd.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Errorf("the container's own process: %v", err)
	}
}
