package replicaset

import (
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
func (k *Controller) apply(ctx context.Context, rs *appsv1.ReplicaSet, p *Plan) (string, error) {
	if len(p.Create) > 0 {
		return reasonFailedCreate, slowly(p.Create, func(o *corev1.Pod) error { return k.create(ctx, rs, o) })
	}
	return reasonFailedDelete, all(p.Delete, func(o *corev1.Pod) error { return k.delete(ctx, rs, o) })
}

// slowly calls f on 1, 8, 64, … items at once, and starts no more after an error: a
// set whose pods are refused asks once, not five hundred times. The steps are larger
// than Kubernetes': what is asked at once is one request.
func slowly[T any](items []T, f func(T) error) error {
	for n := 1; len(items) > 0; n *= 8 {
		n = min(n, len(items))
		if err := all(items[:n], f); err != nil {
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

func (k *Controller) create(ctx context.Context, rs *appsv1.ReplicaSet, o *corev1.Pod) error {
	err := k.c.API.Make(ctx, schemas.Pods, o)
	switch {
	case err == nil:
		k.c.Events.Event(rs, corev1.EventTypeNormal, reasonCreated, "Created pod: "+o.Name)
		return nil
	case apierrors.IsAlreadyExists(err):
		// Made by an earlier try, or somebody else's: the next plan sees which.
		return errors.Join(k.c.Truth.Refresh(ctx), fmt.Errorf("create pod %s: %w", o.Name, errTaken))
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return nil
	}
	k.c.Events.Event(rs, corev1.EventTypeWarning, reasonFailedCreate, fmt.Sprintf("Error creating: %v", err))
	return fmt.Errorf("create pod %s: %w", o.Name, err)
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
