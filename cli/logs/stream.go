package logs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	corev1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/remote"
	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/schemas"
)

// copyLog copies one container's log to w, until its end or, following, until ctx ends.
func copyLog(ctx context.Context, conn *bus.Conn, src source, o *corev1.PodLogOptions, w *lineWriter, warn func(string, ...any)) error {
	if src.pod.Spec.NodeName == "" {
		return fmt.Errorf("pod %s is %w, so its container %q has no log", src.pod.Name, errNoNode, src.container)
	}
	st, err := remote.Dial(ctx, conn, schemas.NodeName(src.pod.Spec.NodeName), remote.Logs{PodLogOptions: *o, Pod: remote.PodOf(src.pod)})
	if err != nil {
		return err
	}
	defer st.Close()
	defer w.flush()
	for {
		f, err := st.Recv(ctx)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case ctx.Err() != nil:
			return nil // the user has seen enough
		case err != nil:
			return fmt.Errorf("read log of %s/%s: %w", src.pod.Name, src.container, err)
		}
		if f.Channel == remote.Stderr {
			warn("%s/%s: %s", src.pod.Name, src.container, f.Data)
			continue
		}
		if err := w.write(f.Data); err != nil {
			return err
		}
	}
}

// Print prints the whole log of a container as it is.
func Print(ctx context.Context, s *session.Session, pod *corev1.Pod, container string) error {
	conn, err := s.Conn(ctx)
	if err != nil {
		return err
	}
	out := &printer{w: s.Stdout}
	return copyLog(ctx, conn, source{pod, container}, &corev1.PodLogOptions{Container: container}, out.lines(""), s.Warnf)
}

// printer writes lines of several containers to one place.
type printer struct {
	mu sync.Mutex
	w  io.Writer
}

// lines returns a writer that begins each line with prefix.
func (p *printer) lines(prefix string) *lineWriter { return &lineWriter{p: p, prefix: []byte(prefix)} }

// maxLine bounds what is kept of a line whose end has not come.
const maxLine = 64 << 10

// lineWriter passes whole lines on.
type lineWriter struct {
	p      *printer
	prefix []byte
	rest   []byte
}

func (w *lineWriter) write(b []byte) error {
	if len(w.prefix) == 0 && len(w.rest) == 0 && bytes.HasSuffix(b, []byte("\n")) {
		return w.emit(b)
	}
	w.rest = append(w.rest, b...)
	end := bytes.LastIndexByte(w.rest, '\n') + 1
	if end == 0 && len(w.rest) < maxLine {
		return nil
	}
	if end == 0 {
		end = len(w.rest)
	}
	var out []byte
	for line := range bytes.Lines(w.rest[:end]) {
		out = append(append(out, w.prefix...), line...)
	}
	w.rest = append(w.rest[:0], w.rest[end:]...)
	return w.emit(out)
}

// flush passes on what came without a line's end.
func (w *lineWriter) flush() {
	if len(w.rest) > 0 {
		_ = w.emit(append(append([]byte{}, w.prefix...), w.rest...))
		w.rest = nil
	}
}

func (w *lineWriter) emit(b []byte) error {
	w.p.mu.Lock()
	defer w.p.mu.Unlock()
	_, err := w.p.w.Write(b)
	return err
}
