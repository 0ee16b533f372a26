// Package copy moves files of containers over streams of the bus, as tar archives.
//
// It reads and writes files through the runtime, which confines every path to the
// container's own file system, and needs no program in the image. What always holds:
// an archive passes through in pieces, so that its size costs no memory.
package copy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/remote"
	"github.com/skerry/skerry/bus/stream"
	"github.com/skerry/skerry/services/agent/lookup"
	"github.com/skerry/skerry/services/agent/sandbox"
)

// Runtime moves archives. Paths that are not there are sandbox.ErrNotFound.
type Runtime interface {
	StatPath(ctx context.Context, id, path string) (remote.Stat, error)
	// Pack calls write with the archive of path in pieces.
	Pack(ctx context.Context, id, path string, write func(p []byte) error) error
	// Unpack unpacks an archive into a directory that is there.
	Unpack(ctx context.Context, id, dir string, keepOwner bool, archive io.Reader) error
}

// Handler serves copies.
type Handler struct {
	Find    lookup.Finder
	Runtime Runtime
}

// maxPath is Linux' own limit.
const maxPath = 4096

// Serve implements stream.Handler.
func (h *Handler) Serve(ctx context.Context, _ bus.User, hello []byte, accept func() (*stream.Stream, error)) error {
	ask, err := remote.Parse[remote.Copy](hello)
	if err != nil {
		return err
	}
	if ask.Path == "" || len(ask.Path) > maxPath || strings.ContainsRune(ask.Path, 0) {
		return apierrors.NewBadRequest("path: a path of a file or directory is needed")
	}
	_, c, err := h.Find.Running(ctx, ask.Pod, ask.Container)
	if err != nil {
		return err
	}
	st, err := h.Runtime.StatPath(ctx, c.ID, ask.Path)
	if errors.Is(err, sandbox.ErrNotFound) {
		return notFound(ask.Path)
	}
	if err != nil {
		return apierrors.NewInternalError(err)
	}
	if ask.Skip < 0 {
		return apierrors.NewBadRequest("skip: must be greater than or equal to 0")
	}
	if ask.Put && !st.Dir {
		return apierrors.NewBadRequest(fmt.Sprintf("%s: Not a directory", ask.Path))
	}
	s, err := accept()
	if err != nil {
		return err
	}
	switch {
	case ask.Stat:
		b, err := json.Marshal(st)
		if err != nil {
			return fmt.Errorf("encode stat: %w", err)
		}
		return s.SendMessage(ctx, b)
	case ask.Put:
		return h.put(ctx, s, c.ID, &ask)
	}
	return h.Runtime.Pack(ctx, c.ID, ask.Path, skip(ask.Skip, func(p []byte) error {
		return s.Send(ctx, stream.Frame{Channel: remote.Stdout, Data: p})
	}))
}

// skip leaves out the first n bytes of what is written in pieces.
func skip(n int64, write func(p []byte) error) func(p []byte) error {
	return func(p []byte) error {
		out := min(n, int64(len(p)))
		n -= out
		if p = p[out:]; len(p) == 0 {
			return nil
		}
		return write(p)
	}
}

// notFound is what a shell's commands say.
func notFound(path string) error {
	err := apierrors.NewBadRequest(fmt.Sprintf("%s: No such file or directory", path))
	err.ErrStatus.Code, err.ErrStatus.Reason = 404, "NotFound"
	return err
}

// put unpacks what comes until the other side's end.
func (h *Handler) put(ctx context.Context, s *stream.Stream, id string, ask *remote.Copy) error {
	ctx, cancel := context.WithCancel(ctx)
	archive, feed := io.Pipe()
	received := make(chan struct{})
	go func() {
		defer close(received)
		for {
			f, err := s.Recv(ctx)
			if err == nil {
				_, err = feed.Write(f.Data)
			}
			if err != nil {
				_ = feed.CloseWithError(err) // io.EOF: the archive's end
				return
			}
		}
	}()
	err := h.Runtime.Unpack(ctx, id, ask.Path, ask.KeepOwner, archive)
	cancel()
	_ = archive.Close()
	<-received
	return err
}
