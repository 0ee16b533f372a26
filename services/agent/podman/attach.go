package podman

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"

	"github.com/containers/podman/v4/pkg/bindings"
	"github.com/containers/podman/v4/pkg/bindings/containers"

	"github.com/skerry/skerry/bus/remote"
	"github.com/skerry/skerry/services/agent/sandbox"
)

// Attach joins the streams of a container's own process.
type Attach struct {
	TTY bool // the container has a terminal
	// Stdin is nil for none. CloseStdin passes its end on, and closes the container's
	// input when the session ends.
	Stdin      io.Reader
	CloseStdin bool
	// Output gets channel 1 (stdout, or the terminal) or 2 (stderr).
	Output func(channel byte, p []byte) error
	// Resize is read while the session lasts; nil: none.
	Resize <-chan remote.Size
}

// Attach passes on what the container writes from now on, until it ends.
func (d *Driver) Attach(ctx context.Context, id string, a Attach) error {
	conn, err := d.connection(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(bound{ctx, conn})
	defer cancel()
	if there, err := d.attachable(ctx, id); err != nil || !there {
		return err
	}
	// The monitor closes the container's input with the session that had it. Where it
	// is to stay open, the input is written to directly.
	var direct io.WriteCloser
	if a.Stdin != nil && !a.TTY && !a.CloseStdin {
		i, err := containers.Inspect(ctx, id, nil)
		if err != nil {
			return d.fail("inspect container "+id, err)
		}
		if i.State == nil {
			return d.fail("inspect container "+id, sandbox.ErrNotFound)
		}
		if direct, err = openStdin(i.State.Pid, i.State.ConmonPid); err != nil {
			d.log.Debug("write to a container's input", "container", id, "error", err)
		} else {
			defer func() { _ = direct.Close() }()
		}
	}
	stdin := "false"
	if a.Stdin != nil && direct == nil {
		stdin = "true"
	}
	path := "/containers/" + id + "/attach?stream=true&logs=false&stdout=true&stderr=true&detachKeys=&stdin=" + stdin
	sock, r, err := d.hijack(ctx, path, nil)
	if err != nil {
		return err
	}
	// It may have ended just now: nothing would ever be heard of it.
	if there, err := d.attachable(ctx, id); err != nil || !there {
		_ = sock.Close()
		return err
	}
	if a.Stdin != nil {
		// Ends with its reader, which the caller ends with the session.
		go feed(a.Stdin, sock, direct, a.CloseStdin)
	}
	return d.pump(sock, r, a.TTY, a.Output, func(done <-chan struct{}) {
		d.resize(ctx, a.Resize, done, func(s remote.Size) error {
			o := new(containers.ResizeTTYOptions).WithHeight(int(s.Height)).WithWidth(int(s.Width))
			return containers.ResizeContainerTTY(ctx, id, o)
		})
	})
}

// feed copies input to where it is to go, and passes its end on if it is to be.
func feed(in io.Reader, sock net.Conn, direct io.Writer, end bool) {
	var to io.Writer = sock
	if direct != nil {
		to = direct
	}
	_, _ = io.Copy(to, in) // the process may not read it: then nobody misses it
	if cw, ok := sock.(*net.UnixConn); ok && end {
		_ = cw.CloseWrite()
	}
}

// hijack makes a request over a connection of its own, which then carries the streams
// of a session. The bindings' own way to attach wants the process's terminal.
func (d *Driver) hijack(ctx context.Context, path string, body []byte) (net.Conn, *bufio.Reader, error) {
	var dialer net.Dialer
	sock, err := dialer.DialContext(ctx, "unix", d.socket)
	if err != nil {
		return nil, nil, d.fail("connect to podman", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = sock.Close() })
	fail := func(err error) (net.Conn, *bufio.Reader, error) {
		stop()
		_ = sock.Close()
		return nil, nil, d.fail("start session", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://d/v4.0.0/libpod"+path, bytes.NewReader(body))
	if err != nil {
		return fail(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "tcp")
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

// pump passes a session's output on until it ends, beside resizes, and closes it.
func (d *Driver) pump(sock net.Conn, r io.Reader, tty bool, output func(byte, []byte) error, resizes func(done <-chan struct{})) error {
	done, resized := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(resized)
		resizes(done)
	}()
	var err error
	if tty {
		err = copyRaw(r, output)
	} else {
		err = demux(r, output)
	}
	close(done)
	<-resized
	_ = sock.Close()
	return err
}

func (d *Driver) resize(ctx context.Context, sizes <-chan remote.Size, done <-chan struct{}, set func(remote.Size) error) {
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
			if err := set(s); err != nil {
				d.log.Debug("resize terminal", "error", err)
			}
		}
	}
}
