package podman

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"

	"github.com/containers/podman/v4/pkg/api/handlers"
	"github.com/containers/podman/v4/pkg/bindings"
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
	sock, r, err := d.startExec(ctx, session, e.TTY)
	if err != nil {
		return 0, err
	}
	if err := d.attach(ctx, session, sock, r, e); err != nil {
		return 0, err
	}
	i, err := containers.ExecInspect(ctx, session, nil)
	if err != nil {
		return 0, d.fail("inspect exec session", err)
	}
	return i.ExitCode, nil
}

// startExec starts the session over a connection of its own, which then carries
// its streams. The bindings' own way to attach wants the process's terminal.
func (d *Driver) startExec(ctx context.Context, session string, tty bool) (net.Conn, *bufio.Reader, error) {
	var dialer net.Dialer
	sock, err := dialer.DialContext(ctx, "unix", d.socket)
	if err != nil {
		return nil, nil, d.fail("connect to podman", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = sock.Close() })
	body, err := json.Marshal(map[string]any{"Detach": false, "Tty": tty})
	if err != nil {
		return nil, nil, fmt.Errorf("encode exec request: %w", err)
	}
	url := "http://d/v4.0.0/libpod/exec/" + session + "/start"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, nil, fmt.Errorf("make exec request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "tcp")
	fail := func(err error) (net.Conn, *bufio.Reader, error) {
		stop()
		_ = sock.Close()
		return nil, nil, d.fail("start exec session", err)
	}
	if err := req.Write(sock); err != nil {
		return fail(err)
	}
	r := bufio.NewReaderSize(sock, 32<<10)
	resp, err := http.ReadResponse(r, req)
	if err != nil {
		return fail(err)
	}
	if resp.StatusCode != http.StatusSwitchingProtocols && resp.StatusCode != http.StatusOK {
		err := (bindings.APIResponse{Response: resp}).Process(nil)
		_ = resp.Body.Close()
		return fail(err)
	}
	return sock, r, nil
}

// attach moves bytes until the command's outputs end.
func (d *Driver) attach(ctx context.Context, session string, sock net.Conn, r *bufio.Reader, e Exec) error {
	done := make(chan struct{})
	if e.Stdin != nil {
		// Ends with its reader, which the caller ends with the stream: a read of
		// stdin cannot be taken back, so nobody waits for it here.
		go func() {
			_, _ = io.Copy(sock, e.Stdin)
			if cw, ok := sock.(*net.UnixConn); ok {
				_ = cw.CloseWrite()
			}
		}()
	}
	resized := make(chan struct{})
	go func() {
		defer close(resized)
		d.resize(ctx, session, e.Resize, done)
	}()
	var err error
	if e.TTY {
		err = copyRaw(r, e.Output)
	} else {
		err = demux(r, e.Output)
	}
	close(done)
	<-resized
	_ = sock.Close()
	return err
}

func (d *Driver) resize(ctx context.Context, session string, sizes <-chan remote.Size, done <-chan struct{}) {
	for {
		select {
		case <-done:
			return
		case <-ctx.Done():
			return
		case s, ok := <-sizes:
			if !ok {
				return
			}
			o := new(containers.ResizeExecTTYOptions).WithHeight(int(s.Height)).WithWidth(int(s.Width))
			if err := containers.ResizeExecTTY(ctx, session, o); err != nil {
				d.log.Debug("resize exec session", "error", err)
			}
		}
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
