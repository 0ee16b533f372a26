package podman

import (
	"context"
	"os"
	"time"

	"github.com/containers/podman/v4/pkg/api/handlers"
	"github.com/containers/podman/v4/pkg/bindings/containers"
	"github.com/docker/docker/api/types"
)

// Run runs a command in a running container to its end, without input, and returns its
// exit code and the first limit bytes of its output. When ctx ends first, the command
// is killed: Podman alone would let it run on.
func (d *Driver) Run(ctx context.Context, id string, command []string, limit int) (code int, output []byte, err error) {
	conn, err := d.connection(ctx)
	if err != nil {
		return 0, nil, err
	}
	ctx, cancel := context.WithCancel(bound{ctx, conn})
	defer cancel()
	session, err := containers.ExecCreate(ctx, id, &handlers.ExecCreateConfig{ExecConfig: types.ExecConfig{
		Cmd: command, AttachStdout: true, AttachStderr: true,
	}})
	if err != nil {
		return 0, nil, d.fail("create exec session in "+id, err)
	}
	err = d.startExec(ctx, session, Exec{Output: func(_ byte, p []byte) error {
		output = append(output, p[:min(len(p), limit-len(output))]...)
		return nil
	}})
	if ctx.Err() != nil {
		d.killExec(ctx, session)
		return 0, output, ctx.Err()
	}
	if err != nil {
		return 0, output, err
	}
	code, err = d.exitCode(ctx, session)
	return code, output, err
}

// killExec kills a session's process, which is one of this host's. Podman has no call for that.
func (d *Driver) killExec(ctx context.Context, session string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	i, err := containers.ExecInspect(ctx, session, nil)
	if err != nil || !i.Running || i.Pid <= 1 {
		return // the container is gone, and the command with it
	}
	p, err := os.FindProcess(i.Pid)
	if err == nil {
		err = p.Kill()
	}
	if err != nil {
		d.log.Debug("kill exec session", "error", err)
	}
}
