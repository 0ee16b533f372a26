// Package lookup finds the container that a session from outside is meant for.
//
// It reads the node's work orders and the runtime, and writes nothing. What always
// holds: errors are the Statuses that Kubernetes gives, and a pod of the same name
// that is not the one asked for is not found.
package lookup

import (
	"context"
	"fmt"
	"strings"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/skerry/skerry/bus/remote"
	"github.com/skerry/skerry/services/agent/sandbox"
)

// Pods are the node's work orders.
type Pods interface {
	// Pod returns nil if the pod is not ordered here.
	Pod(k sandbox.Key) *v1.Pod
}

// Runtime shows what runs.
type Runtime interface {
	Pod(ctx context.Context, k sandbox.Key) ([]sandbox.Pod, error)
}

// Finder finds containers.
type Finder struct {
	Pods    Pods
	Runtime Runtime
}

// defaultContainer is kubectl's annotation for a pod of several containers.
const defaultContainer = "kubectl.kubernetes.io/default-container"

// Order is the work order of the pod asked for.
func (f Finder) Order(ask remote.Pod) (*v1.Pod, error) {
	if ask.Name == "" || ask.Namespace == "" {
		return nil, apierrors.NewBadRequest("name: the pod's name and namespace are needed")
	}
	p := f.Pods.Pod(sandbox.Key{Namespace: ask.Namespace, Name: ask.Name})
	if p == nil || (ask.UID != "" && ask.UID != p.UID) {
		return nil, apierrors.NewNotFound(schema.GroupResource{Resource: "pods"}, string(ask.Name))
	}
	return p, nil
}

// Sandbox is the pod asked for as the runtime has it; nil if it has none of it.
func (f Finder) Sandbox(ctx context.Context, p *v1.Pod) (*sandbox.Pod, error) {
	seen, err := f.Runtime.Pod(ctx, sandbox.Key{Namespace: remote.PodOf(p).Namespace, Name: remote.PodOf(p).Name})
	if err != nil {
		return nil, apierrors.NewInternalError(err)
	}
	for i := range seen {
		if seen[i].UID == p.UID {
			return &seen[i], nil
		}
	}
	return nil, nil
}

// Running is the running container of that name; "" is the pod's default or first.
func (f Finder) Running(ctx context.Context, ask remote.Pod, name string) (*v1.Pod, *sandbox.Container, error) {
	p, err := f.Order(ask)
	if err != nil {
		return nil, nil, err
	}
	if name == "" {
		name = p.Annotations[defaultContainer]
	}
	if name == "" && len(p.Spec.Containers) > 0 {
		name = p.Spec.Containers[0].Name
	}
	if Spec(p, name) == nil {
		return nil, nil, apierrors.NewBadRequest(fmt.Sprintf("container %s is not valid for pod %s", name, p.Name))
	}
	seen, err := f.Sandbox(ctx, p)
	if err != nil {
		return nil, nil, err
	}
	if seen != nil {
		if c := seen.Newest(name); c != nil && c.State == sandbox.Running {
			return p, c, nil
		}
	}
	return nil, nil, apierrors.NewBadRequest(fmt.Sprintf("container %s of pod %s is not running", name, p.Name))
}

// Spec is the part of p's spec about the container called name: of any sort, nil if
// there is none.
func Spec(p *v1.Pod, name string) *v1.Container {
	for _, cs := range [][]v1.Container{p.Spec.Containers, p.Spec.InitContainers} {
		for i := range cs {
			if cs[i].Name == name {
				return &cs[i]
			}
		}
	}
	for i := range p.Spec.EphemeralContainers {
		if e := &p.Spec.EphemeralContainers[i]; e.Name == name {
			c := v1.Container(e.EphemeralContainerCommon)
			return &c
		}
	}
	return nil
}

// Name resolves which container of p is meant by name; "" means the only one.
func Name(p *v1.Pod, name string) (string, error) {
	names := func(cs []v1.Container) string {
		var out []string
		for _, c := range cs {
			out = append(out, c.Name)
		}
		return strings.Join(out, " ")
	}
	switch {
	case name != "" && Spec(p, name) != nil:
		return name, nil
	case name != "":
		return "", apierrors.NewBadRequest(fmt.Sprintf("container %s is not valid for pod %s", name, p.Name))
	case len(p.Spec.Containers) == 1:
		return p.Spec.Containers[0].Name, nil
	case p.Annotations[defaultContainer] != "":
		return Name(p, p.Annotations[defaultContainer])
	}
	msg := fmt.Sprintf("a container name must be specified for pod %s, choose one of: [%s]", p.Name, names(p.Spec.Containers))
	if len(p.Spec.InitContainers) > 0 {
		msg += fmt.Sprintf(" or one of the init containers: [%s]", names(p.Spec.InitContainers))
	}
	return "", apierrors.NewBadRequest(msg)
}
