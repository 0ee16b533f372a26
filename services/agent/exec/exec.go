// Package exec runs commands in containers over streams of the bus, and joins the
// streams of containers' own processes.
//
// It reads stdin (channel 0) and sizes (4) from the stream and writes stdout (1),
// stderr (2) and at the end a Status (3), as Kubernetes' remote command protocol does.
// What always holds: the Status is the last frame; a command that ended with a code other than
// 0 has it as the cause ExitCode; and the session ends when the stream does.
package exec

import (
	"context"

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
	return session(ctx, s, ask.Stdin, func(ctx context.Context, io streams) (int, error) {
		e := podman.Exec{Command: ask.Command, TTY: ask.TTY, Resize: io.sizes, Output: io.output}
		if io.stdin != nil {
			e.Stdin = io.stdin
		}
		return h.Runtime.Exec(ctx, c.ID, e)
	})
}
