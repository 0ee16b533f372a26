//go:build linux

package mount

import (
	"context"
	"fmt"
	"strings"

	"github.com/skerry/skerry/services/agent/command"
)

// Command mounts by the host's mount(8), as the kubelet does: it finds the helper of
// the type (mount.nfs), which speaks with the server before the kernel does.
func Command(ctx context.Context, fstype, source, target string, options []string) error {
	args := []string{"-t", fstype}
	if len(options) > 0 {
		args = append(args, "-o", strings.Join(options, ","))
	}
	args = append(args, "--", source, target)
	cmd := command.New(ctx, "mount", args...) // with the helper
	cmd.Env = append(cmd.Environ(), "LC_ALL=C")
	out, err := cmd.CombinedOutput()
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		err = fmt.Errorf("no answer: %w", ctx.Err())
	}
	return fmt.Errorf("mount failed: %w\nMounting command: mount\nMounting arguments: %s\nOutput: %s",
		err, strings.Join(args, " "), strings.TrimSpace(string(out)))
}
