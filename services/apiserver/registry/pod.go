package registry

import (
	"context"
	"fmt"
	"net/http"

	v1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/validate"
	"github.com/skerry/skerry/services/apiserver/admit"
	"github.com/skerry/skerry/services/apiserver/codec"
)

// bind hands a binding to the scheduler, the writer of assigned.
func (g *Registry) bind(ctx context.Context, r *api.Request, k *schemas.Kind) (*api.Reply, error) {
	var b v1.Binding
	if err := codec.Into(r.Body, &b); err != nil {
		return nil, err
	}
	b.Name, b.Namespace = string(r.Name), string(r.Namespace)
	if errs := validate.PodBinding(&b); len(errs) > 0 {
		return nil, apierrors.NewInvalid(v1.SchemeGroupVersion.WithKind("Binding").GroupKind(), b.Name, errs)
	}
	obj, err := g.read(ctx, r, k)
	if err != nil {
		return nil, err
	}
	pod, ok := obj.(*v1.Pod)
	if !ok {
		return nil, NoKind(r.Resource)
	}
	switch {
	case b.UID != "" && b.UID != pod.UID:
		return nil, admit.Conflict(k, pod.Name, fmt.Errorf("Precondition failed: UID in precondition: %v, UID in object meta: %v", b.UID, pod.UID))
	case b.ResourceVersion != "" && b.ResourceVersion != pod.ResourceVersion:
		return nil, admit.Modified(k, pod.Name)
	case pod.DeletionTimestamp != nil:
		return nil, admit.Conflict(k, pod.Name, fmt.Errorf("pod %s is being deleted, cannot be assigned to a host", pod.Name))
	case pod.Spec.NodeName != "":
		return nil, admit.Conflict(k, pod.Name, fmt.Errorf("pod %s is already assigned to node %q", pod.Name, pod.Spec.NodeName))
	}
	if !r.DryRun {
		if err := g.forward(ctx, bus.BindSubject, &b); err != nil {
			return nil, storeError(r, err)
		}
	}
	return reply(success(http.StatusCreated), nil, true)
}

func success(code int32) metav1.Status {
	return metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusSuccess, Code: code}
}

// evict deletes a pod, after noting on it that it is being disrupted.
func (g *Registry) evict(ctx context.Context, r *api.Request, k *schemas.Kind) (*api.Reply, error) {
	var e policyv1.Eviction
	if err := codec.Into(r.Body, &e); err != nil {
		return nil, err
	}
	if e.Name == "" {
		e.Name = string(r.Name)
	}
	if errs := validate.Eviction(&e, string(r.Name)); len(errs) > 0 {
		return nil, apierrors.NewInvalid(policyv1.SchemeGroupVersion.WithKind("Eviction").GroupKind(), e.Name, errs)
	}
	obj, err := g.read(ctx, r, k)
	if err != nil {
		return nil, err
	}
	pod, ok := obj.(*v1.Pod)
	if !ok {
		return nil, NoKind(r.Resource)
	}
	del := *r
	del.Verb, del.Subresource, del.Body, del.Delete = api.VerbDelete, "", nil, e.DeleteOptions
	if del.Delete == nil {
		del.Delete = &metav1.DeleteOptions{}
	}
	if del.Delete.Preconditions == nil {
		// The pod that was looked at, not one that has its name by then.
		opts := *del.Delete
		opts.Preconditions = &metav1.Preconditions{UID: &pod.UID}
		del.Delete = &opts
	}
	dryRun := r.DryRun || len(del.Delete.DryRun) > 0
	if err := g.spend(ctx, pod, dryRun); err != nil {
		return nil, storeError(r, err)
	}
	if !dryRun && pod.Spec.NodeName != "" && pod.DeletionTimestamp == nil {
		if err := g.disrupt(ctx, pod); err != nil {
			return nil, storeError(r, err)
		}
	}
	if _, _, err := g.delete(ctx, &del, k); err != nil {
		return nil, err
	}
	return reply(success(http.StatusCreated), nil, true)
}

// disrupt sets the condition DisruptionTarget.
func (g *Registry) disrupt(ctx context.Context, pod *v1.Pod) error {
	if pod.Status.Phase == v1.PodSucceeded || pod.Status.Phase == v1.PodFailed {
		return nil
	}
	next := pod.DeepCopy()
	next.Status.Conditions = nil
	for _, c := range pod.Status.Conditions {
		if c.Type != v1.DisruptionTarget {
			next.Status.Conditions = append(next.Status.Conditions, c)
		}
	}
	next.Status.Conditions = append(next.Status.Conditions, v1.PodCondition{
		Type: v1.DisruptionTarget, Status: v1.ConditionTrue, Reason: "EvictionByEvictionAPI",
		Message: "Eviction API: evicting", LastTransitionTime: metav1.Time{Time: g.Now()},
	})
	return g.sendStatus(ctx, next)
}
