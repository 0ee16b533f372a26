package replicaset

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/schemas"
)

const (
	reasonCreated      = "SuccessfulCreate"
	reasonDeleted      = "SuccessfulDelete"
	reasonFailedCreate = "FailedCreate"
	reasonFailedDelete = "FailedDelete"
)

// errTaken asks for another plan, with what the name was taken by in sight.
var errTaken = errors.New("the name is taken")

// apply carries p out, and returns the reason of the condition if it fails.
func (k *Controller) apply(ctx context.Context, rs *appsv1.ReplicaSet, s *set, p *Plan) (string, error) {
	if len(p.Create) > 0 {
		first := 1
		if s.makes {
			first = len(p.Create)
		}
		err := slowly(first, p.Create, func(pods []*corev1.Pod) error { return k.create(ctx, rs, pods) })
		s.makes = err == nil
		return reasonFailedCreate, err
	}
	return reasonFailedDelete, all(p.Delete, func(o *corev1.Pod) error { return k.delete(ctx, rs, o) })
}

// slowly calls f with so many items first, 1 for most, then with eight times as many, and no
// more after an error: a set whose pods are refused asks once, not five hundred times. The
// steps are larger than Kubernetes': what is asked at once is one request.
func slowly[T any](first int, items []T, f func([]T) error) error {
	for n := first; len(items) > 0; n *= 8 {
		n = min(n, len(items))
		if err := f(items[:n]); err != nil {
			return err
		}
		items = items[n:]
	}
	return nil
}

// all calls f on the items at once and waits.
func all[T any](items []T, f func(T) error) error {
	errs := make([]error, len(items))
	var wg sync.WaitGroup
	for i, item := range items {
		wg.Go(func() { errs[i] = f(item) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// create makes pods and returns the first error.
func (k *Controller) create(ctx context.Context, rs *appsv1.ReplicaSet, pods []*corev1.Pod) error {
	objs := make([]schemas.Object, len(pods))
	for i, p := range pods {
		objs[i] = p
	}
	var first error
	taken := false
	for i, err := range k.c.API.Make(ctx, schemas.Pods, objs...) {
		name := pods[i].Name
		switch {
		case err == nil:
			k.c.Events.Event(rs, corev1.EventTypeNormal, reasonCreated, "Created pod: "+name)
			continue
		case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
			continue
		case apierrors.IsAlreadyExists(err):
			taken, err = true, errTaken
		default:
			k.c.Events.Event(rs, corev1.EventTypeWarning, reasonFailedCreate, fmt.Sprintf("Error creating: %v", err))
		}
		first = cmp.Or(first, fmt.Errorf("create pod %s: %w", name, err))
	}
	if taken {
		// Made by an earlier try, or somebody else's: the next plan sees which.
		return errors.Join(k.c.Truth.Refresh(ctx), first)
	}
	return first
}

func (k *Controller) delete(ctx context.Context, rs *appsv1.ReplicaSet, o *corev1.Pod) error {
	uid := o.UID
	err := k.c.API.Delete(ctx, podRef(o), metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}})
	switch {
	case err == nil:
		k.c.Events.Event(rs, corev1.EventTypeNormal, reasonDeleted, "Deleted pod: "+o.Name)
		return nil
	case apierrors.IsNotFound(err):
		return nil
	}
	k.c.Events.Event(rs, corev1.EventTypeWarning, reasonFailedDelete, fmt.Sprintf("Error deleting: %v", err))
	return fmt.Errorf("delete pod %s: %w", o.Name, err)
}
