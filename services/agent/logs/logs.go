// Package logs serves a container's log over a stream of the bus.
//
// It reads the log file of the newest run of a container, or of the one before
// it, and writes frames on channel Stdout. What always holds: nothing is read faster
// than the other side takes it, and reading ends when the stream does.
package logs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/remote"
	"github.com/skerry/skerry/bus/stream"
	"github.com/skerry/skerry/services/agent/logfile"
	"github.com/skerry/skerry/services/agent/lookup"
	"github.com/skerry/skerry/services/agent/member"
	"github.com/skerry/skerry/services/agent/podman"
	"github.com/skerry/skerry/services/agent/sandbox"
)

// Runtime knows where logs are, and reads those that are not in files of this host.
type Runtime interface {
	LogSource(ctx context.Context, id string) (podman.LogSource, error)
	Logs(ctx context.Context, id string, o podman.LogOptions, write func(p []byte) error) error
}

// Handler serves logs.
type Handler struct {
	Find    lookup.Finder
	Runtime Runtime
	Readers *logfile.Readers // told what is being read; may be nil
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
	err = h.read(ctx, c.ID, &ask, sender(ctx, s, ask.LimitBytes), func() {
		// It may come too late, or never: there is no harm in that.
		_ = s.Send(ctx, stream.Frame{Channel: remote.Stderr, Data: []byte(lost)})
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// lost tells a reader that it was too slow for the log's rotation.
const lost = "some lines are missing: they were rotated away before they could be read"

// sender returns what sends pieces of the log, and ends it at its limit.
func sender(ctx context.Context, s *stream.Stream, limit *int64) func(p []byte) error {
	left := int64(-1)
	if limit != nil {
		left = *limit
	}
	return func(p []byte) error {
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
	}
}

// read reads the log's files, or has the runtime read them if they are not to be
// had here.
func (h *Handler) read(ctx context.Context, id string, ask *remote.Logs, emit func([]byte) error, lost func()) error {
	src, err := h.Runtime.LogSource(ctx, id)
	if err != nil {
		return apierrors.NewInternalError(err)
	}
	o := options(ask, time.Now())
	if src.Path != "" {
		w := logfile.Watch(src.Writer, id)
		defer w.Close()
		o.Alive, o.Lost, o.Readers = w.Alive, lost, h.Readers
		err = logfile.Read(ctx, src.Path, o, emit)
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
			return err
		}
	}
	return h.Runtime.Logs(ctx, id, podman.LogOptions{Follow: o.Follow, Timestamps: o.Timestamps, Since: o.Since, Tail: o.Tail}, emit)
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
	case ask.Stream != nil && streamOf(*ask.Stream) < 0:
		return bad("stream", `must be "All", "Stdout" or "Stderr"`)
	case ask.Stream != nil && ask.TailLines != nil && streamOf(*ask.Stream) != 0:
		return bad("tailLines", "and specific stream cannot be specified together")
	}
	return nil
}

// streamOf is the output that is meant; negative if it is none.
func streamOf(name string) int {
	switch name {
	case v1.LogStreamAll, "":
		return 0
	case v1.LogStreamStdout:
		return 1
	case v1.LogStreamStderr:
		return 2
	}
	return -1
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
		if c := run(p, seen, name, ask.Previous); c != nil {
			return c, nil
		}
	}
	if ask.Previous {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("previous terminated container %q in pod %q not found", name, ask.Name))
	}
	return nil, apierrors.NewBadRequest(fmt.Sprintf("container %q in pod %q is waiting to start: %s", name, ask.Name, waiting(p, name)))
}

// run is the newest run of a container that has started, or the one before it. While the
// next run is still to come, the one that ended is both, as with a kubelet: runs before
// that one need not be there any more.
func run(p *v1.Pod, seen *sandbox.Pod, name string, previous bool) *sandbox.Container {
	var newest, before *sandbox.Container
	for i := range seen.Containers {
		c := &seen.Containers[i]
		switch {
		case c.Name != name || c.State == sandbox.Created:
		case newest == nil || c.Attempt > newest.Attempt:
			newest, before = c, newest
		case before == nil || c.Attempt > before.Attempt:
			before = c
		}
	}
	if !previous || newest != nil && newest.State == sandbox.Exited && comesAgain(p, newest) {
		return newest
	}
	return before
}

// comesAgain tells whether a container that has ended is to start again.
func comesAgain(p *v1.Pod, ended *sandbox.Container) bool {
	c, ok := member.Find(p, ended.Name)
	return ok && c.Restarts(p, ended.ExitCode)
}

// waiting says why a container has not started, as the pod's status does.
func waiting(p *v1.Pod, name string) string {
	for _, list := range [][]v1.ContainerStatus{p.Status.ContainerStatuses, p.Status.InitContainerStatuses, p.Status.EphemeralContainerStatuses} {
		for _, s := range list {
			if s.Name != name || s.State.Waiting == nil {
				continue
			}
			switch r := s.State.Waiting.Reason; {
			case r == "ErrImagePull":
				return "image can't be pulled"
			case r == "ImagePullBackOff":
				return "trying and failing to pull image"
			case r != "" && !strings.ContainsAny(r, "\r\n"):
				return r
			}
		}
	}
	return "ContainerCreating"
}

func options(ask *remote.Logs, now time.Time) logfile.Options {
	o := logfile.Options{Follow: ask.Follow, Timestamps: ask.Timestamps, Tail: -1}
	if ask.TailLines != nil {
		o.Tail = *ask.TailLines
	}
	if ask.Stream != nil {
		o.Stream = byte(streamOf(*ask.Stream))
	}
	switch {
	case ask.SinceSeconds != nil:
		o.Since = now.Add(-time.Duration(*ask.SinceSeconds) * time.Second)
	case ask.SinceTime != nil:
		o.Since = ask.SinceTime.Time
	}
	return o
}
