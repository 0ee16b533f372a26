package podman

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"syscall"
	"time"

	"github.com/containers/podman/v4/pkg/api/handlers"
	"github.com/containers/podman/v4/pkg/bindings/containers"
	"github.com/docker/docker/api/types"

	"github.com/skerry/skerry/bus/remote"
)

// Exec is a command to run in a container.
type Exec struct {
	Command []string
	TTY     bool
	Stdin   io.Reader // nil: none
	// Output gets channel 1 (stdout, or the terminal) or 2 (stderr).
	Output func(channel byte, p []byte) error
	// Resize is read while the command runs; nil: none.
	Resize <-chan remote.Size
}

// Exec runs a command in a running container and returns its exit code.
func (d *Driver) Exec(ctx context.Context, id string, e Exec) (int, error) {
	conn, err := d.connection(ctx)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithCancel(bound{ctx, conn})
	defer cancel()
	session, err := containers.ExecCreate(ctx, id, &handlers.ExecCreateConfig{ExecConfig: types.ExecConfig{
		Cmd: e.Command, Tty: e.TTY, AttachStdin: e.Stdin != nil, AttachStdout: true, AttachStderr: true,
	}})
	if err != nil {
		return 0, d.fail("create exec session in "+id, err)
	}
	if err := d.startExec(ctx, session, e); err != nil {
		if e.TTY && ctx.Err() != nil {
			d.hangUp(conn, session)
		}
		return 0, err
	}
	return d.exitCode(ctx, session)
}

// startExec starts a session and moves bytes until the command's outputs end.
func (d *Driver) startExec(ctx context.Context, session string, e Exec) error {
	body, err := json.Marshal(map[string]any{"Detach": false, "Tty": e.TTY})
	if err != nil {
		return fmt.Errorf("encode exec request: %w", err)
	}
	sock, r, err := d.hijack(ctx, "/exec/"+session+"/start", body)
	if err != nil {
		return err
	}
	if e.Stdin != nil {
		// Ends with its reader, which the caller ends with the stream: a read of
		// stdin cannot be taken back, so nobody waits for it here.
		go feed(e.Stdin, sock, nil, true)
	}
	return d.pump(sock, r, e.TTY, e.Output, func(done <-chan struct{}) {
		d.resize(ctx, e.Resize, done, func(s remote.Size) error {
			o := new(containers.ResizeExecTTYOptions).WithHeight(int(s.Height)).WithWidth(int(s.Width))
			return containers.ResizeExecTTY(ctx, session, o)
		})
	})
}

// hangUp tells a command that its terminal is gone, as a lost line does. A command without
// a terminal goes on, as in Kubernetes: it may be somebody's long job.
func (d *Driver) hangUp(conn context.Context, session string) {
	ctx, cancel := context.WithTimeout(conn, quick)
	defer cancel()
	i, err := containers.ExecInspect(ctx, session, nil)
	if err == nil && i.Running && i.Pid > 1 {
		err = syscall.Kill(i.Pid, syscall.SIGHUP)
	}
	if err != nil {
		d.log.Debug("hang up", "error", err)
	}
}

// exitCode waits until the command has ended: it can close its outputs before.
func (d *Driver) exitCode(ctx context.Context, session string) (int, error) {
	wait := 5 * time.Millisecond
	for {
		i, err := containers.ExecInspect(ctx, session, nil)
		if err != nil {
			return 0, d.fail("inspect exec session", err)
		}
		if !i.Running {
			return i.ExitCode, nil
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(wait):
		}
		wait = min(2*wait, time.Second)
	}
}

func copyRaw(r io.Reader, f func(channel byte, p []byte) error) error {
	buf := make([]byte, 32<<10)
	for {
		n, err := r.Read(buf)
		if n > 0 {
			if err := f(1, buf[:n]); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read terminal: %w", err)
		}
	}
}
