// Package exec runs commands in containers over streams of the bus.
//
// It reads stdin (channel 0) and sizes (4) from the stream and writes stdout (1),
// stderr (2) and at the end a Status (3), as Kubernetes' remote command protocol does.
// What always holds: the Status is the last frame; a command that ended with a code other than
// 0 has it as the cause ExitCode; and the session ends when the stream does.
package exec

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/remote"
	"github.com/skerry/skerry/bus/stream"
	"github.com/skerry/skerry/services/agent/lookup"
	"github.com/skerry/skerry/services/agent/podman"
)

// Runtime runs commands.
type Runtime interface {
	Exec(ctx context.Context, id string, e podman.Exec) (int, error)
}

// Handler serves commands.
type Handler struct {
	Find    lookup.Finder
	Runtime Runtime
}

// Serve implements stream.Handler.
func (h *Handler) Serve(ctx context.Context, _ bus.User, hello []byte, accept func() (*stream.Stream, error)) error {
	ask, err := remote.Parse[remote.Exec](hello)
	if err != nil {
		return err
	}
	if len(ask.Command) == 0 {
		return apierrors.NewBadRequest("you must specify at least one command for the container")
	}
	_, c, err := h.Find.Running(ctx, ask.Pod, ask.Container)
	if err != nil {
		return err
	}
	s, err := accept()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	code, err := h.run(ctx, s, c.ID, &ask)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	last, err := json.Marshal(remote.Outcome(code, err))
	if err != nil {
		return fmt.Errorf("encode status: %w", err)
	}
	return s.Send(ctx, stream.Frame{Channel: remote.Error, Data: last})
}

// run runs the command between the stream and the runtime.
func (h *Handler) run(ctx context.Context, s *stream.Stream, id string, ask *remote.Exec) (int, error) {
	ctx, cancel := context.WithCancel(ctx)
	in, feed := io.Pipe()
	sizes := make(chan remote.Size, 1)
	received := make(chan struct{})
	go func() {
		defer close(received)
		receive(ctx, s, feed, sizes)
	}()
	defer func() {
		cancel() // ends receive
		_ = in.Close()
		<-received
	}()
	e := podman.Exec{Command: ask.Command, TTY: ask.TTY, Resize: sizes, Output: func(ch byte, p []byte) error {
		return s.Send(ctx, stream.Frame{Channel: ch, Data: p})
	}}
	if ask.Stdin {
		e.Stdin = in
	} else {
		_ = in.Close() // nobody would read it
	}
	return h.Runtime.Exec(ctx, id, e)
}

// receive takes what the other side sends: stdin until it ends, and sizes, of
// which only the newest counts.
func receive(ctx context.Context, s *stream.Stream, stdin *io.PipeWriter, sizes chan remote.Size) {
	for {
		f, err := s.Recv(ctx)
		if err != nil {
			_ = stdin.CloseWithError(err) // io.EOF: the end of the input
			return
		}
		switch f.Channel {
		case remote.Stdin:
			if len(f.Data) == 0 { // the end of the input, with sizes still to come
				_ = stdin.Close()
				continue
			}
			if _, err := stdin.Write(f.Data); err != nil {
				// The command has ended or takes no input: sizes still count.
				continue
			}
		case remote.Resize:
			var size remote.Size
			if json.Unmarshal(f.Data, &size) != nil {
				continue
			}
			select {
			case <-sizes:
			default:
			}
			sizes <- size
		}
	}
}
