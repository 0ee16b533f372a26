package podman

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/containers/podman/v4/pkg/bindings/containers"

	"github.com/skerry/skerry/services/agent/sandbox"
)

// LogSource is where a container's log is, and the process that writes it.
type LogSource struct {
	Path   string // "" if the container logs to no file
	Writer int    // pid of its monitor; 0 when the container has ended
}

// LogSource finds a container's log. The file is this host's.
func (d *Driver) LogSource(ctx context.Context, id string) (LogSource, error) {
	ctx, cancel, err := d.call(ctx, quick)
	if err != nil {
		return LogSource{}, err
	}
	defer cancel()
	i, err := containers.Inspect(ctx, id, nil)
	if err != nil {
		return LogSource{}, d.fail("inspect container "+id, err)
	}
	var s LogSource
	if i.HostConfig != nil && i.HostConfig.LogConfig != nil {
		s.Path = i.HostConfig.LogConfig.Path
	}
	if i.State != nil && i.State.Running {
		s.Writer = i.State.ConmonPid
	}
	return s, nil
}

// reopenLogs is what a monitor understands as a wish to open its log anew.
const reopenLogs = "2 0 0\n"

// ReopenLog has the monitor of a container open its log's path anew: what it writes from then
// on is in the new file. It is sandbox.ErrNotFound if the container does not run. Podman has
// no call for it, so that the monitor is told directly, as other runtimes do.
func (d *Driver) ReopenLog(ctx context.Context, name string) error {
	ctx, cancel, err := d.call(ctx, quick)
	if err != nil {
		return err
	}
	defer cancel()
	i, err := containers.Inspect(ctx, name, nil)
	if err != nil {
		return d.fail("inspect container "+name, err)
	}
	if i.State == nil || !i.State.Running {
		return fmt.Errorf("reopen log of %s: it has ended: %w", name, sandbox.ErrNotFound)
	}
	// Not blocking: without a reader, opening fails rather than waits.
	ctl, err := os.OpenFile(filepath.Join(i.StaticDir, "ctl"), os.O_WRONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, syscall.ENXIO) {
		return fmt.Errorf("reopen log of %s: it has ended: %w", name, sandbox.ErrNotFound)
	}
	if err != nil {
		return fmt.Errorf("reopen log of %s: %w", name, err)
	}
	_, err = ctl.WriteString(reopenLogs)
	if err = errors.Join(err, ctl.Close()); err != nil {
		return fmt.Errorf("reopen log of %s: %w", name, err)
	}
	return nil
}
