// Package logs serves a container's log over a stream of the bus.
//
// It reads the runtime's log of the newest run of a container, or the one before
// it, and writes frames on channel 1. What always holds: nothing is read faster
// than the other side takes it, and reading ends when the stream does.
package logs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/stream"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/agent/podman"
	"github.com/skerry/skerry/services/agent/sandbox"
)

// Pods are the node's work orders.
type Pods interface {
	// Pod returns nil if the pod is not ordered here.
	Pod(k sandbox.Key) *v1.Pod
}

// Runtime reads logs.
type Runtime interface {
	Pod(ctx context.Context, k sandbox.Key) ([]sandbox.Pod, error)
	Logs(ctx context.Context, id string, o podman.LogOptions, write func(p []byte) error) error
}

// Hello asks for a log.
type Hello struct {
	v1.PodLogOptions
	Namespace schemas.Namespace `json:"namespace"`
	Name      schemas.Name      `json:"name"`
}

// channel carries the log: both outputs, in order.
const channel = 1

// Handler serves logs.
type Handler struct {
	Pods    Pods
	Runtime Runtime
}

// errEnough ends a log at its limit.
var errEnough = errors.New("limit reached")

// Serve implements stream.Handler.
func (h *Handler) Serve(ctx context.Context, _ bus.User, hello []byte, accept func() (*stream.Stream, error)) error {
	var ask Hello
	if err := json.Unmarshal(hello, &ask); err != nil {
		return apierrors.NewBadRequest("the request for logs cannot be read: " + err.Error())
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
		if err := s.Send(ctx, stream.Frame{Channel: channel, Data: p}); err != nil {
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
func check(ask *Hello) error {
	bad := func(field, why string) error {
		return apierrors.NewBadRequest(fmt.Sprintf("%s: %s", field, why))
	}
	switch {
	case ask.Name == "" || ask.Namespace == "":
		return bad("name", "the pod's name and namespace are needed")
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
func (h *Handler) find(ctx context.Context, ask *Hello) (*sandbox.Container, error) {
	k := sandbox.Key{Namespace: ask.Namespace, Name: ask.Name}
	p := h.Pods.Pod(k)
	if p == nil {
		return nil, apierrors.NewNotFound(schema.GroupResource{Resource: "pods"}, string(ask.Name))
	}
	name, err := Container(p, ask.Container)
	if err != nil {
		return nil, err
	}
	seen, err := h.Runtime.Pod(ctx, k)
	if err != nil {
		return nil, apierrors.NewInternalError(err)
	}
	for i := range seen {
		if seen[i].UID != p.UID {
			continue
		}
		newest := seen[i].Newest(name)
		if !ask.Previous {
			if newest != nil && newest.State != sandbox.Created {
				return newest, nil
			}
			continue
		}
		for j := range seen[i].Containers {
			if c := &seen[i].Containers[j]; newest != nil && c.Name == name && c.Attempt == newest.Attempt-1 {
				return c, nil
			}
		}
	}
	if ask.Previous {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("previous terminated container %q in pod %q not found", name, ask.Name))
	}
	return nil, apierrors.NewBadRequest(fmt.Sprintf("container %q in pod %q is waiting to start: ContainerCreating", name, ask.Name))
}

// Container resolves which container of p is meant by name: "" means the only one.
func Container(p *v1.Pod, name string) (string, error) {
	var names []string
	for _, c := range p.Spec.Containers {
		if c.Name == name {
			return name, nil
		}
		names = append(names, c.Name)
	}
	switch {
	case name != "":
		return "", apierrors.NewBadRequest(fmt.Sprintf("container %s is not valid for pod %s; it has [%s]", name, p.Name, strings.Join(names, " ")))
	case len(names) == 1:
		return names[0], nil
	case p.Annotations["kubectl.kubernetes.io/default-container"] != "":
		return Container(p, p.Annotations["kubectl.kubernetes.io/default-container"])
	}
	return "", apierrors.NewBadRequest(fmt.Sprintf("a container name must be specified for pod %s, choose one of: [%s]", p.Name, strings.Join(names, " ")))
}

func options(ask *Hello, now time.Time) podman.LogOptions {
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
