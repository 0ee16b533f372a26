// Package logs serves a container's log over a stream of the bus.
//
// It reads the runtime's log of the newest run of a container, or the one before
// it, and writes frames on channel 1. What always holds: nothing is read faster
// than the other side takes it, and reading ends when the stream does.
package logs

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/remote"
	"github.com/skerry/skerry/bus/stream"
	"github.com/skerry/skerry/services/agent/lookup"
	"github.com/skerry/skerry/services/agent/podman"
	"github.com/skerry/skerry/services/agent/sandbox"
)

// Runtime reads logs.
type Runtime interface {
	Logs(ctx context.Context, id string, o podman.LogOptions, write func(p []byte) error) error
}

// Handler serves logs.
type Handler struct {
	Find    lookup.Finder
	Runtime Runtime
}

// errEnough ends a log at its limit.
var errEnough = errors.New("limit reached")

// Serve implements stream.Handler.
func (h *Handler) Serve(ctx context.Context, _ bus.User, hello []byte, accept func() (*stream.Stream, error)) error {
	ask, err := remote.Parse[remote.Logs](hello)
	if err != nil {
		return err
	}
	if err := check(&ask); err != nil {
		return err
	}
	c, err := h.find(ctx, &ask)
	if err != nil {
		return err
	}
	s, err := accept()
	if err != nil {
		return err
	}
	left := int64(-1)
	if ask.LimitBytes != nil {
		left = *ask.LimitBytes
	}
	err = h.Runtime.Logs(ctx, c.ID, options(&ask, time.Now()), func(p []byte) error {
		if left >= 0 {
			p = p[:min(int64(len(p)), left)]
			left -= int64(len(p))
		}
		if err := s.Send(ctx, stream.Frame{Channel: remote.Stdout, Data: p}); err != nil {
			return err
		}
		if left == 0 {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// check refuses what Kubernetes refuses.
func check(ask *remote.Logs) error {
	bad := func(field, why string) error {
		return apierrors.NewBadRequest(fmt.Sprintf("%s: %s", field, why))
	}
	switch {
	case ask.TailLines != nil && *ask.TailLines < 0:
		return bad("tailLines", "must be greater than or equal to 0")
	case ask.LimitBytes != nil && *ask.LimitBytes < 1:
		return bad("limitBytes", "must be greater than 0")
	case ask.SinceSeconds != nil && *ask.SinceSeconds < 1:
		return bad("sinceSeconds", "must be greater than 0")
	case ask.SinceSeconds != nil && ask.SinceTime != nil:
		return bad("sinceTime", "at most one of sinceTime or sinceSeconds may be specified")
	}
	return nil
}

// find resolves which run of which container is asked for.
func (h *Handler) find(ctx context.Context, ask *remote.Logs) (*sandbox.Container, error) {
	p, err := h.Find.Order(ask.Pod)
	if err != nil {
		return nil, err
	}
	name, err := lookup.Name(p, ask.Container)
	if err != nil {
		return nil, err
	}
	seen, err := h.Find.Sandbox(ctx, p)
	if err != nil {
		return nil, err
	}
	if seen != nil {
		newest := seen.Newest(name)
		if !ask.Previous && newest != nil && newest.State != sandbox.Created {
			return newest, nil
		}
		for i := range seen.Containers {
			if c := &seen.Containers[i]; ask.Previous && newest != nil && c.Name == name && c.Attempt == newest.Attempt-1 {
				return c, nil
			}
		}
	}
	if ask.Previous {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("previous terminated container %q in pod %q not found", name, ask.Name))
	}
	return nil, apierrors.NewBadRequest(fmt.Sprintf("container %q in pod %q is waiting to start: ContainerCreating", name, ask.Name))
}

func options(ask *remote.Logs, now time.Time) podman.LogOptions {
	o := podman.LogOptions{Follow: ask.Follow, Timestamps: ask.Timestamps, Tail: -1}
	if ask.TailLines != nil {
		o.Tail = *ask.TailLines
	}
	switch {
	case ask.SinceSeconds != nil:
		o.Since = now.Add(-time.Duration(*ask.SinceSeconds) * time.Second)
	case ask.SinceTime != nil:
		o.Since = ask.SinceTime.Time
	}
	return o
}
