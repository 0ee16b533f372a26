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

// Attachable joins containers' streams.
type Attachable interface {
	Attach(ctx context.Context, id string, a podman.Attach) error
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
		return 0, h.Runtime.Attach(ctx, c.ID, a)
	})
}
