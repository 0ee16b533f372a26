package exec

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus/stream"
	"github.com/skerry/skerry/cli/failure"
	"github.com/skerry/skerry/cli/session"
)

// The channels of Kubernetes' remote command protocol.
const (
	channelStdin byte = iota
	channelStdout
	channelStderr
	channelError
	channelResize
)

// size is a terminal's size, as the resize channel has it.
type size struct{ Width, Height uint16 }

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
		case channelStdout:
			_, err = x.s.Stdout.Write(f.Data)
		case channelStderr:
			_, err = x.s.Stderr.Write(f.Data)
		case channelError:
			return outcome(f.Data)
		}
		if err != nil {
			return fmt.Errorf("print output: %w", err)
		}
	}
}

// outcome reads how the command ended: a Status whose cause ExitCode is the code.
func outcome(data []byte) error {
	var st metav1.Status
	if err := json.Unmarshal(data, &st); err != nil {
		return fmt.Errorf("read exit status: %w", err)
	}
	if st.Status == metav1.StatusSuccess {
		return nil
	}
	if st.Details != nil {
		for _, c := range st.Details.Causes {
			if c.Type != "ExitCode" {
				continue
			}
			code, err := strconv.Atoi(c.Message)
			if err != nil {
				return fmt.Errorf("read exit status: %w", err)
			}
			return failure.Remote(code)
		}
	}
	return &apierrors.StatusError{ErrStatus: st}
}

func (x *exchange) sendStdin(ctx context.Context) {
	buf := make([]byte, 32<<10)
	for {
		n, err := x.s.Stdin.Read(buf)
		if n > 0 && x.st.Send(ctx, stream.Frame{Channel: channelStdin, Data: buf[:n]}) != nil {
			return
		}
		if err != nil {
			// An empty frame of stdin is its end; the other direction goes on.
			_ = x.st.Send(ctx, stream.Frame{Channel: channelStdin})
			return
		}
	}
}

func (x *exchange) sendSizes(ctx context.Context) {
	changed := x.terminal.Resized(ctx)
	for {
		w, h := x.terminal.Size()
		b, err := json.Marshal(size{uint16(w), uint16(h)})
		if err != nil || x.st.Send(ctx, stream.Frame{Channel: channelResize, Data: b}) != nil {
			return
		}
		if _, ok := <-changed; !ok {
			return
		}
	}
}
