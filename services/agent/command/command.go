//go:build linux

// Package command starts programs of the host in such a way that an end is one.
//
// Reads: nothing. Writes: nothing itself. What always holds: when a command's context ends, all that it has started in
// its group is killed with it, and who waits for it waits a second longer at most.
package command

import (
	"context"
	"os/exec"
	"syscall"
	"time"
)

// waitDelay is how long the output is waited for of what was killed, or was left running.
const waitDelay = time.Second

// New returns the command, to be set up further and run. Of fsck, mount or a shell script the program that does the work
// is a child: killed alone, the parent would leave it at work on a disk that somebody else is given next.
func New(ctx context.Context, path string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = waitDelay
	return cmd
}
