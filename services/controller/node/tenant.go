package node

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus/view"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/controller/cluster"
)

// Tenants reconciles the pods on nodes: whether they can be called ready, and
// whether they may stay.
type Tenants struct {
	c *cluster.Cluster
	// spared tells that nobody may be evicted now.
	spared func() bool

	mu sync.Mutex
	// seen is since when a pod has been under taints that do not say it themselves
	// (users' taints have no timeAdded).
	seen map[schemas.Ref]time.Time
}

// Tenants returns the controller of the pods on k's nodes.
func (k *Controller) Tenants() *Tenants {
	return &Tenants{c: k.c, seen: map[schemas.Ref]time.Time{}, spared: func() bool { return judge(k.pulse.count(k.c.Now())) == spare }}
}

// Keys returns the pods that a change concerns.
func (t *Tenants) Keys(ch view.Change) []schemas.Ref {
	switch ch.Ref.Resource {
	case schemas.Pods:
		now, _ := ch.Object.(*corev1.Pod)
		if now == nil || now.Spec.NodeName == "" {
			return nil
		}
		return []schemas.Ref{ch.Ref}
	case schemas.Nodes:
		now, _ := ch.Object.(*corev1.Node)
		old, _ := ch.Old.(*corev1.Node)
		if ch.Type == view.Modified && old != nil && now != nil && readiness(old) == readiness(now) &&
			apiequality.Semantic.DeepEqual(old.Spec.Taints, now.Spec.Taints) {
			return nil
		}
		return t.on(schemas.NodeName(ch.Ref.Name))
	}
	return nil
}

func (t *Tenants) on(node schemas.NodeName) (keys []schemas.Ref) {
	for _, o := range t.c.View.PodsOn(node) {
		keys = append(keys, schemas.RefOf(schemas.Pods, o))
	}
	return keys
}

// Reconcile does what is due for the pod that key names.
func (t *Tenants) Reconcile(ctx context.Context, key schemas.Ref) (time.Duration, error) {
	// Load.
	obj, _ := t.c.View.Get(key)
	p, ok := obj.(*corev1.Pod)
	if !ok || p.Spec.NodeName == "" {
		t.forget(key)
		return 0, nil
	}
	obj, _ = t.c.View.Get(schemas.Ref{Resource: schemas.Nodes, Name: schemas.Name(p.Spec.NodeName)})
	n, ok := obj.(*corev1.Node)
	if !ok {
		return 0, nil // the collector of orphaned pods deals with it
	}
	// Plan.
	now := t.c.Now()
	plan := planTenant(p, n, t.since(key, n, now), now)
	if plan.Evict && t.spared() {
		plan.Evict, plan.After = false, recheck
	}
	// Apply and report.
	if err := t.mark(ctx, key, p, plan); err != nil {
		return 0, err
	}
	if plan.Evict {
		return 0, t.evict(ctx, key, p)
	}
	return plan.After, nil
}

// mark writes the conditions that override what the agent reports.
func (t *Tenants) mark(ctx context.Context, key schemas.Ref, p *corev1.Pod, plan tenantPlan) error {
	if !plan.Unready && !plan.Restore && !plan.Evict {
		return nil // as for nearly every pod
	}
	if plan.Unready {
		t.c.Events.Event(p, corev1.EventTypeWarning, reasonNotReady, "Node is not ready")
	}
	return t.c.Status.Conclude(ctx, key, p.UID, func(current schemas.Object) schemas.Object {
		out, _ := current.(*corev1.Pod)
		if out == nil {
			out = &corev1.Pod{TypeMeta: p.TypeMeta}
			out.Name, out.Namespace, out.UID = p.Name, p.Namespace, p.UID
		}
		at := metav1.NewTime(t.c.Now())
		if plan.Unready {
			out.Status.Conditions = setPodCondition(out.Status.Conditions, corev1.PodCondition{Type: corev1.PodReady,
				Status: corev1.ConditionFalse, Reason: reasonNotReady, Message: "Node is not ready", LastTransitionTime: at})
		}
		if plan.Restore {
			out.Status.Conditions = slices.DeleteFunc(out.Status.Conditions, overruled)
		}
		if plan.Evict {
			out.Status.Conditions = setPodCondition(out.Status.Conditions, corev1.PodCondition{Type: corev1.DisruptionTarget,
				Status: corev1.ConditionTrue, Reason: "DeletionByTaintManager",
				Message: "Taint manager: deleting due to NoExecute taint", LastTransitionTime: at})
		}
		if len(out.Status.Conditions) == 0 && out.Status.Phase == "" {
			return nil
		}
		return out
	})
}

func setPodCondition(list []corev1.PodCondition, c corev1.PodCondition) []corev1.PodCondition {
	for i, was := range list {
		if was.Type == c.Type {
			if was.Status != c.Status || was.Reason != c.Reason {
				list[i] = c
			}
			return list
		}
	}
	return append(list, c)
}

func (t *Tenants) evict(ctx context.Context, key schemas.Ref, p *corev1.Pod) error {
	t.c.Events.Event(p, corev1.EventTypeNormal, "TaintManagerEviction", fmt.Sprintf("Marking for deletion Pod %s/%s", p.Namespace, p.Name))
	uid := p.UID
	err := t.c.API.Delete(ctx, key, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("evict %s: %w", key, err)
	}
	return nil
}

// since is from when taints without a time count for the pod.
func (t *Tenants) since(key schemas.Ref, n *corev1.Node, now time.Time) time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !slices.ContainsFunc(n.Spec.Taints, func(t corev1.Taint) bool { return t.Effect == corev1.TaintEffectNoExecute }) {
		delete(t.seen, key)
		return now
	}
	if at, ok := t.seen[key]; ok {
		return at
	}
	t.seen[key] = now
	return now
}

func (t *Tenants) forget(key schemas.Ref) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.seen, key)
}
