package exec

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/skerry/skerry/bus/remote"
	"github.com/skerry/skerry/bus/stream"
	"github.com/skerry/skerry/cli/failure"
	"github.com/skerry/skerry/cli/session"
)

// exchange carries one command's streams.
type exchange struct {
	s        *session.Session
	st       *stream.Stream
	stdin    bool
	terminal session.Terminal // nil without a terminal
}

// run returns when the command has ended. Reading stdin cannot be interrupted, so
// that goroutine may outlive the command: it ends with its next read, or the process.
func (x *exchange) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var sizes sync.WaitGroup
	defer sizes.Wait()
	defer cancel()
	if x.terminal != nil {
		sizes.Go(func() { x.sendSizes(ctx) })
	}
	if x.stdin {
		go x.sendStdin(ctx)
	}
	return x.receive(ctx)
}

// receive prints what comes until the command's end.
func (x *exchange) receive(ctx context.Context) error {
	for {
		f, err := x.st.Recv(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch f.Channel {
		case remote.Stdout:
			_, err = x.s.Stdout.Write(f.Data)
		case remote.Stderr:
			_, err = x.s.Stderr.Write(f.Data)
		case remote.Error:
			return outcome(f.Data)
		}
		if err != nil {
			return fmt.Errorf("print output: %w", err)
		}
	}
}

// outcome reads how the command ended.
func outcome(data []byte) error {
	code, err := remote.ExitCode(data)
	if err != nil || code == 0 {
		return err
	}
	return failure.Remote(code)
}

func (x *exchange) sendStdin(ctx context.Context) {
	buf := make([]byte, 32<<10)
	for {
		n, err := x.s.Stdin.Read(buf)
		if n > 0 && x.st.Send(ctx, stream.Frame{Channel: remote.Stdin, Data: buf[:n]}) != nil {
			return
		}
		if err != nil {
			// An empty frame of stdin is its end; the other direction goes on.
			_ = x.st.Send(ctx, stream.Frame{Channel: remote.Stdin})
			return
		}
	}
}

func (x *exchange) sendSizes(ctx context.Context) {
	changed := x.terminal.Resized(ctx)
	for {
		w, h := x.terminal.Size()
		b, err := json.Marshal(remote.Size{Width: uint16(w), Height: uint16(h)})
		if err != nil || x.st.Send(ctx, stream.Frame{Channel: remote.Resize, Data: b}) != nil {
			return
		}
		if _, ok := <-changed; !ok {
			return
		}
	}
}
