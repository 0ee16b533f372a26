package registry

import (
	"context"
	"fmt"
	"time"

	v1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
)

// maxGoing is how many evictions of a budget may be unconfirmed.
const maxGoing = 2000

// spend counts pod's eviction against its PodDisruptionBudget, or refuses it. Pods that
// are not running yet, or no more, are nobody's loss.
func (g *Registry) spend(ctx context.Context, pod *v1.Pod, dryRun bool) error {
	if pod.DeletionTimestamp != nil || pod.Status.Phase == v1.PodPending || pod.Status.Phase == v1.PodSucceeded || pod.Status.Phase == v1.PodFailed {
		return nil
	}
	for attempt := 1; ; attempt++ {
		b, err := g.budgetOf(ctx, pod)
		if err != nil || b == nil {
			return err
		}
		next, err := spent(b, pod, g.Now())
		if err != nil || next == nil || dryRun {
			return err
		}
		err = g.sendStatus(ctx, next)
		if !apierrors.IsConflict(err) || attempt == statusAttempts {
			return err
		}
		if err := spread(ctx, attempt); err != nil {
			return err
		}
	}
}

// budgetOf returns the budget that pod is under, nil if there is none.
func (g *Registry) budgetOf(ctx context.Context, pod *v1.Pod) (*policyv1.PodDisruptionBudget, error) {
	k := g.Table.ByResource(schemas.PodDisruptionBudgets)
	if k == nil {
		return nil, nil
	}
	var found *policyv1.PodDisruptionBudget
	for _, o := range g.State.List(schemas.PodDisruptionBudgets, schemas.Namespace(pod.Namespace)) {
		b, ok := o.(*policyv1.PodDisruptionBudget)
		if !ok || b.Spec.Selector == nil {
			continue
		}
		s, err := metav1.LabelSelectorAsSelector(b.Spec.Selector)
		if err != nil || !s.Matches(labels.Set(pod.Labels)) {
			continue
		}
		if found != nil {
			return nil, apierrors.NewInternalError(fmt.Errorf("this pod has more than one PodDisruptionBudget, which the eviction subresource does not support"))
		}
		found = b
	}
	if found == nil {
		return nil, nil
	}
	obj, err := g.read(ctx, &api.Request{Resource: k.Resource, Namespace: schemas.Namespace(found.Namespace), Name: schemas.Name(found.Name)}, k)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	fresh, _ := obj.(*policyv1.PodDisruptionBudget)
	return fresh, nil
}

// spent is b with pod's eviction counted, nil if it need not be, or why it may not be.
// Pure; the rules and the words are those of Kubernetes' eviction subresource.
func spent(b *policyv1.PodDisruptionBudget, pod *v1.Pod, now time.Time) (*policyv1.PodDisruptionBudget, error) {
	st := &b.Status
	if !ready(pod) {
		always := b.Spec.UnhealthyPodEvictionPolicy != nil && *b.Spec.UnhealthyPodEvictionPolicy == policyv1.AlwaysAllow
		if always || st.CurrentHealthy >= st.DesiredHealthy && st.DesiredHealthy > 0 {
			return nil, nil
		}
	}
	switch {
	case st.ObservedGeneration < b.Generation:
		return nil, violated(10, fmt.Sprintf("The disruption budget %s is still being processed by the server.", b.Name))
	case st.DisruptionsAllowed < 0:
		return nil, apierrors.NewForbidden(policyv1.Resource("poddisruptionbudget"), b.Name, fmt.Errorf("pdb disruptions allowed is negative"))
	case len(st.DisruptedPods) > maxGoing:
		return nil, apierrors.NewForbidden(policyv1.Resource("poddisruptionbudget"), b.Name, fmt.Errorf("DisruptedPods map too big - too many evictions not confirmed by PDB controller"))
	case st.DisruptionsAllowed == 0:
		return nil, violated(0, fmt.Sprintf("The disruption budget %s needs %d healthy pods and has %d currently", b.Name, st.DesiredHealthy, st.CurrentHealthy))
	}
	next := b.DeepCopy()
	if next.Status.DisruptionsAllowed--; next.Status.DisruptionsAllowed == 0 {
		for i := range next.Status.Conditions {
			if c := &next.Status.Conditions[i]; c.Type == policyv1.DisruptionAllowedCondition {
				c.Status, c.Reason, c.LastTransitionTime = metav1.ConditionFalse, policyv1.InsufficientPodsReason, metav1.NewTime(now.Truncate(time.Second))
			}
		}
	}
	if next.Status.DisruptedPods == nil {
		next.Status.DisruptedPods = map[string]metav1.Time{}
	}
	next.Status.DisruptedPods[pod.Name] = metav1.NewTime(now.Truncate(time.Second))
	return next, nil
}

func violated(retryAfter int, cause string) error {
	err := apierrors.NewTooManyRequests("Cannot evict pod as it would violate the pod's disruption budget.", retryAfter)
	err.ErrStatus.Details.Causes = append(err.ErrStatus.Details.Causes, metav1.StatusCause{Type: policyv1.DisruptionBudgetCause, Message: cause})
	return err
}

func ready(pod *v1.Pod) bool {
	for _, c := range pod.Status.Conditions {
		if c.Type == v1.PodReady {
			return c.Status == v1.ConditionTrue
		}
	}
	return false
}
