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
	"strconv"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/stream"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/agent/podman"
	"github.com/skerry/skerry/services/agent/sandbox"
)

// Channels of the stream.
const (
	Stdin byte = iota
	Stdout
	Stderr
	Error
	Resize
)

// Of the Status: as Kubernetes' remotecommand has them.
const (
	reasonNonZero = metav1.StatusReason("NonZeroExitCode")
	causeExitCode = metav1.CauseType("ExitCode")
)

// Pods are the node's work orders.
type Pods interface {
	// Pod returns nil if the pod is not ordered here.
	Pod(k sandbox.Key) *v1.Pod
}

// Runtime runs commands.
type Runtime interface {
	Pod(ctx context.Context, k sandbox.Key) ([]sandbox.Pod, error)
	Exec(ctx context.Context, id string, e podman.Exec) (int, error)
}

// Hello asks for a command.
type Hello struct {
	v1.PodExecOptions
	Namespace schemas.Namespace `json:"namespace"`
	Name      schemas.Name      `json:"name"`
}

// Handler serves commands.
type Handler struct {
	Pods    Pods
	Runtime Runtime
}

// Serve implements stream.Handler.
func (h *Handler) Serve(ctx context.Context, _ bus.User, hello []byte, accept func() (*stream.Stream, error)) error {
	var ask Hello
	if err := json.Unmarshal(hello, &ask); err != nil {
		return apierrors.NewBadRequest("the request cannot be read: " + err.Error())
	}
	if len(ask.Command) == 0 {
		return apierrors.NewBadRequest("you must specify at least one command for the container")
	}
	id, err := h.find(ctx, &ask)
	if err != nil {
		return err
	}
	s, err := accept()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	code, err := h.run(ctx, s, id, &ask)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	last, err := json.Marshal(result(code, err))
	if err != nil {
		return fmt.Errorf("encode status: %w", err)
	}
	return s.Send(ctx, stream.Frame{Channel: Error, Data: last})
}

// run runs the command between the stream and the runtime.
func (h *Handler) run(ctx context.Context, s *stream.Stream, id string, ask *Hello) (int, error) {
	ctx, cancel := context.WithCancel(ctx)
	in, feed := io.Pipe()
	sizes := make(chan podman.Size, 1)
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
func receive(ctx context.Context, s *stream.Stream, stdin *io.PipeWriter, sizes chan podman.Size) {
	for {
		f, err := s.Recv(ctx)
		if err != nil {
			_ = stdin.CloseWithError(err) // io.EOF: the end of the input
			return
		}
		switch f.Channel {
		case Stdin:
			if len(f.Data) == 0 { // the end of the input, with sizes still to come
				_ = stdin.Close()
				continue
			}
			if _, err := stdin.Write(f.Data); err != nil {
				// The command has ended or takes no input: sizes still count.
				continue
			}
		case Resize:
			var size podman.Size
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

// find resolves the running container that is asked for.
func (h *Handler) find(ctx context.Context, ask *Hello) (string, error) {
	k := sandbox.Key{Namespace: ask.Namespace, Name: ask.Name}
	p := h.Pods.Pod(k)
	if p == nil {
		return "", apierrors.NewNotFound(schema.GroupResource{Resource: "pods"}, string(ask.Name))
	}
	name := ask.Container
	if name == "" {
		name = p.Annotations["kubectl.kubernetes.io/default-container"]
	}
	if name == "" && len(p.Spec.Containers) > 0 {
		name = p.Spec.Containers[0].Name
	}
	seen, err := h.Runtime.Pod(ctx, k)
	if err != nil {
		return "", apierrors.NewInternalError(err)
	}
	for i := range seen {
		if c := seen[i].Newest(name); seen[i].UID == p.UID && c != nil && c.State == sandbox.Running {
			return c.ID, nil
		}
	}
	for _, c := range p.Spec.Containers {
		if c.Name == name {
			return "", apierrors.NewBadRequest(fmt.Sprintf("container %s of pod %s is not running", name, p.Name))
		}
	}
	return "", apierrors.NewBadRequest(fmt.Sprintf("container %s is not valid for pod %s", name, p.Name))
}

// result is how the command ended, as remotecommand's Status.
func result(code int, err error) metav1.Status {
	switch {
	case err != nil:
		return apierrors.NewInternalError(fmt.Errorf("error executing command in container: %w", err)).Status()
	case code == 0:
		return metav1.Status{Status: metav1.StatusSuccess}
	}
	return metav1.Status{
		Status: metav1.StatusFailure, Reason: reasonNonZero,
		Message: fmt.Sprintf("command terminated with non-zero exit code: exit status %d", code),
		Details: &metav1.StatusDetails{Causes: []metav1.StatusCause{{Type: causeExitCode, Message: strconv.Itoa(code)}}},
	}
}
