package scheduler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/status"
	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/schemas"
)

// serveBind answers pods/binding, which the apiserver hands on: the scheduler is
// the only writer of assigned, so another scheduler's decision is written here.
func serveBind(ctx context.Context, conn *bus.Conn, s *scheduler) error {
	return conn.Respond(ctx, bus.BindSubject, "scheduler", 16, func(ctx context.Context, _ string, body []byte) []byte {
		var b v1.Binding
		err := json.Unmarshal(body, &b)
		if err != nil {
			err = apierrors.NewBadRequest(fmt.Sprintf("read binding: %v", err))
		} else {
			err = s.bind(ctx, &b)
		}
		if err != nil {
			return status.Encode(err)
		}
		return nil
	})
}

// bind writes the work order that b asks for. Errors are Status errors, as
// Kubernetes' binding endpoint gives them.
func (s *scheduler) bind(ctx context.Context, b *v1.Binding) error {
	pods := schema.GroupResource{Resource: "pods"}
	ref := schemas.Ref{Resource: schemas.Pods, Namespace: schemas.Namespace(b.Namespace), Name: schemas.Name(b.Name)}
	if rev, err := s.store.Last(ctx); err != nil {
		return apierrors.NewServiceUnavailable(err.Error())
	} else if err := s.view.WaitFor(ctx, rev); err != nil {
		return apierrors.NewServiceUnavailable(err.Error())
	}
	parts := s.view.Parts(ref)
	pod, ok := parts.Objects.Desired.(*v1.Pod)
	if !ok {
		return apierrors.NewNotFound(pods, b.Name)
	}
	order, ok := parts.Objects.Assigned.(*v1.Pod)
	if !ok {
		order = &v1.Pod{}
	}
	switch {
	case b.UID != "" && b.UID != pod.UID:
		return apierrors.NewConflict(pods, b.Name, fmt.Errorf("precondition failed: UID in precondition: %s, UID in object meta: %s", b.UID, pod.UID))
	case pod.DeletionTimestamp != nil:
		return apierrors.NewConflict(pods, b.Name, fmt.Errorf("pod %s is being deleted, cannot be assigned to a host", b.Name))
	case order.Spec.NodeName != "":
		return apierrors.NewConflict(pods, b.Name, fmt.Errorf("pod %s is already assigned to node %q", b.Name, order.Spec.NodeName))
	case len(pod.Spec.SchedulingGates) > 0:
		return apierrors.NewConflict(pods, b.Name, fmt.Errorf("pod %s has non-empty .spec.schedulingGates", b.Name))
	}
	// The next decision counts it already, although the view does not show it yet.
	if on, ok := s.state.assume(pod, schemas.NodeName(b.Target.Name)); !ok {
		return apierrors.NewConflict(pods, b.Name, fmt.Errorf("pod %s is already assigned to node %q", b.Name, on))
	}
	_, err := s.store.Apply(ctx, assign(pod, schemas.NodeName(b.Target.Name), parts.Assigned)...)
	if err != nil {
		s.forgetAssumed(write{pods: []decision{{item: itemOf(ref, pod), pod: pod, node: schemas.NodeName(b.Target.Name)}}})
	}
	switch {
	case errors.Is(err, store.ErrConflict):
		return apierrors.NewConflict(pods, b.Name, err)
	case err != nil:
		return apierrors.NewServiceUnavailable(err.Error())
	}
	return nil
}
