package target

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
)

// Spec is the part of p's spec about the container of that name, of any sort; nil if
// there is none.
func Spec(p *corev1.Pod, name string) *corev1.Container {
	for _, cs := range [][]corev1.Container{p.Spec.Containers, p.Spec.InitContainers} {
		for i := range cs {
			if cs[i].Name == name {
				return &cs[i]
			}
		}
	}
	for i := range p.Spec.EphemeralContainers {
		if p.Spec.EphemeralContainers[i].Name == name {
			c := corev1.Container(p.Spec.EphemeralContainers[i].EphemeralContainerCommon)
			return &c
		}
	}
	return nil
}

// State is what is reported of the container of that name; nil if nothing is.
func State(p *corev1.Pod, name string) *corev1.ContainerStatus {
	for _, list := range [][]corev1.ContainerStatus{p.Status.ContainerStatuses, p.Status.InitContainerStatuses, p.Status.EphemeralContainerStatuses} {
		for i := range list {
			if list[i].Name == name {
				return &list[i]
			}
		}
	}
	return nil
}

// ErrEnded: the container that was waited for is over.
var ErrEnded = errors.New("the container has ended")

// AwaitContainer waits until a container of p runs, and returns the pod as it is then. It
// is ErrEnded with the pod if the container ended before it was seen to run.
func AwaitContainer(ctx context.Context, c *api.Client, p *corev1.Pod, name string, timeout time.Duration) (*corev1.Pod, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	why := "ContainerCreating"
	found := errors.New("found")
	p, err := await(ctx, c, p, func(pod *corev1.Pod) error {
		s := State(pod, name)
		switch {
		case s == nil && (pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed):
			return ErrEnded
		case s == nil:
		case s.State.Running != nil:
			return found
		case s.State.Terminated != nil:
			return ErrEnded
		case s.State.Waiting != nil && s.State.Waiting.Reason != "":
			why = s.State.Waiting.Reason
		}
		return nil
	})
	switch {
	case errors.Is(err, found):
		return p, nil
	case errors.Is(err, context.DeadlineExceeded):
		return p, fmt.Errorf("container %s of pod %s does not run after %s: %s: %w", name, p.Name, timeout, why, context.DeadlineExceeded)
	}
	return p, err
}

// AwaitEnd waits until p has ended, and returns it as it is then.
func AwaitEnd(ctx context.Context, c *api.Client, p *corev1.Pod) (*corev1.Pod, error) {
	ended := errors.New("ended")
	p, err := await(ctx, c, p, func(pod *corev1.Pod) error {
		if pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
			return ended
		}
		return nil
	})
	if errors.Is(err, ended) {
		return p, nil
	}
	return p, err
}

// await calls look with p as it is and as it changes, until it errs.
func await(ctx context.Context, c *api.Client, p *corev1.Pod, look func(*corev1.Pod) error) (*corev1.Pod, error) {
	see := func(pod *corev1.Pod) error {
		p = pod
		return look(pod)
	}
	ref := schemas.RefOf(schemas.Pods, p)
	for {
		obj, err := c.Get(ctx, ref)
		if err == nil {
			if pod, ok := obj.(*corev1.Pod); ok {
				err = see(pod)
			}
		}
		if err == nil {
			err = watchPod(ctx, c, ref, obj.GetResourceVersion(), see)
		}
		if err != nil && !apierrors.IsResourceExpired(err) && !apierrors.IsGone(err) {
			return p, err
		}
	}
}

// watchPod calls look with the pod as it changes, until it errs.
func watchPod(ctx context.Context, c *api.Client, ref schemas.Ref, rv string, look func(*corev1.Pod) error) error {
	o := metav1.ListOptions{FieldSelector: "metadata.name=" + string(ref.Name), ResourceVersion: rv}
	err := c.Watch(ctx, ref.Resource, ref.Namespace, o, func(event string, obj schemas.Object) error {
		if event == "DELETED" {
			return fmt.Errorf("pod %s was deleted", ref.Name)
		}
		if pod, ok := obj.(*corev1.Pod); ok && event != "BOOKMARK" {
			return look(pod)
		}
		return nil
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}
