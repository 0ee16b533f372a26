package exec

import (
	"context"
	"errors"
	"io/fs"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/remote"
	"github.com/skerry/skerry/bus/stream"
	"github.com/skerry/skerry/services/agent/logfile"
	"github.com/skerry/skerry/services/agent/lookup"
	"github.com/skerry/skerry/services/agent/podman"
)

// Attachable joins containers' streams.
type Attachable interface {
	Attach(ctx context.Context, id string, a podman.Attach) error
	LogSource(ctx context.Context, id string) (podman.LogSource, error)
}

// Attacher serves the streams of containers' own processes.
type Attacher struct {
	Find    lookup.Finder
	Runtime Attachable
}

// Serve implements stream.Handler.
func (h *Attacher) Serve(ctx context.Context, _ bus.User, hello []byte, accept func() (*stream.Stream, error)) error {
	ask, err := remote.Parse[remote.Attach](hello)
	if err != nil {
		return err
	}
	p, c, err := h.Find.Running(ctx, ask.Pod, ask.Container)
	if err != nil {
		return err
	}
	spec := lookup.Spec(p, c.Name)
	if ask.TTY && !spec.TTY {
		return apierrors.NewBadRequest("container " + c.Name + " did not allocate a terminal")
	}
	s, err := accept()
	if err != nil {
		return err
	}
	return session(ctx, s, ask.Stdin && spec.Stdin, func(ctx context.Context, io streams) (int, error) {
		a := podman.Attach{TTY: spec.TTY, CloseStdin: spec.StdinOnce, Resize: io.sizes, Output: io.output}
		if io.stdin != nil {
			a.Stdin = io.stdin
		}
		if ask.Replay {
			if err := h.replay(ctx, c.ID, io.output); err != nil {
				return 0, err
			}
		}
		return 0, h.Runtime.Attach(ctx, c.ID, a)
	})
}

// replay sends what the process has written so far: of a container that was made for this
// session, that is its first prompt. (Podman's own way breaks its framing.)
func (h *Attacher) replay(ctx context.Context, id string, output func(byte, []byte) error) error {
	src, err := h.Runtime.LogSource(ctx, id)
	if err != nil || src.Path == "" {
		return err
	}
	err = logfile.Read(ctx, src.Path, logfile.Options{Tail: -1}, func(p []byte) error { return output(remote.Stdout, p) })
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil
	}
	return err
}
