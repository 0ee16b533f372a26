// Package podgc removes pods that nobody else will: on nodes that are no more, ended
// ones beyond a number, and deleted ones that never ran.
//
// Reads: pods and nodes, joined, and the stream itself to make sure that a node is gone.
// Writes: forced deletions through the apiserver; the condition that says why, under
// current.pods.<namespace>.<name>.
// Triggered by: nodes going, pods being deleted unscheduled, and a timer.
// Invariant: a node's absence must last a whole quarantine before its pods go.
package podgc

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus/view"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/controller/cluster"
)

// sweep is how often everything is looked at, whatever changes.
const sweep = 20 * time.Second

// key is the only key: pods are collected all at once.
var key = schemas.Ref{Resource: schemas.Pods}

// Controller collects pods.
type Controller struct {
	c      *cluster.Cluster
	limits limits

	mu      sync.Mutex
	missing map[schemas.NodeName]time.Time
}

// New returns the controller; threshold is how many ended pods may stay (0: all).
func New(c *cluster.Cluster, quarantine time.Duration, threshold int) *Controller {
	return &Controller{c: c, limits: limits{quarantine: quarantine, terminated: threshold}}
}

// Key is what the controller is first woken with; later it wakes itself.
func (k *Controller) Key() schemas.Ref { return key }

// Keys wakes the controller for what should not wait for the timer.
func (k *Controller) Keys(ch view.Change) []schemas.Ref {
	switch o := ch.Object.(type) {
	case *corev1.Node:
		if ch.Type == view.Deleted || outOfService(o) {
			return []schemas.Ref{key}
		}
	case *corev1.Pod:
		if o.DeletionTimestamp != nil && o.Spec.NodeName == "" && ch.Type != view.Deleted {
			return []schemas.Ref{key}
		}
	}
	return nil
}

// Reconcile collects.
func (k *Controller) Reconcile(ctx context.Context, _ schemas.Ref) (time.Duration, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	// Load.
	nodes := map[schemas.NodeName]*corev1.Node{}
	for _, o := range k.c.View.List(schemas.Nodes, "") {
		if n, ok := o.(*corev1.Node); ok {
			nodes[schemas.NodeName(n.Name)] = n
		}
	}
	var pods []*corev1.Pod
	for _, o := range k.c.View.List(schemas.Pods, "") {
		if p, ok := o.(*corev1.Pod); ok {
			pods = append(pods, p)
		}
	}
	// Plan.
	p := plan(pods, nodes, k.missing, k.limits, k.c.Now())
	k.missing = p.Missing
	// Apply and report.
	var errs []error
	for _, o := range p.Orphaned {
		errs = append(errs, k.orphaned(ctx, o))
	}
	for _, o := range p.Terminated {
		errs = append(errs, k.remove(ctx, o))
	}
	for _, o := range p.Unscheduled {
		errs = append(errs, k.remove(ctx, o))
	}
	for _, o := range p.OutOfService {
		errs = append(errs, k.remove(ctx, o))
	}
	if err := errors.Join(errs...); err != nil {
		return 0, err
	}
	return sweep, nil
}

// orphaned removes a pod whose node is gone, if the stream says so too.
func (k *Controller) orphaned(ctx context.Context, o *corev1.Pod) error {
	uid, err := k.c.Truth.UID(ctx, schemas.Ref{Resource: schemas.Nodes, Name: schemas.Name(o.Spec.NodeName)})
	if err != nil || uid != "" {
		return err
	}
	err = k.c.Status.Conclude(ctx, schemas.RefOf(schemas.Pods, o), o.UID, func(current schemas.Object) schemas.Object {
		next, _ := current.(*corev1.Pod)
		if next == nil {
			next = &corev1.Pod{TypeMeta: o.TypeMeta}
			next.Name, next.Namespace, next.UID = o.Name, o.Namespace, o.UID
		}
		for _, c := range next.Status.Conditions {
			if c.Type == corev1.DisruptionTarget {
				return next
			}
		}
		next.Status.Conditions = append(next.Status.Conditions, corev1.PodCondition{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue,
			Reason: "DeletionByPodGC", Message: "PodGC: node no longer exists", LastTransitionTime: metav1.NewTime(k.c.Now())})
		return next
	})
	return errors.Join(err, k.remove(ctx, o))
}

func (k *Controller) remove(ctx context.Context, o *corev1.Pod) error {
	ref, uid, none := schemas.RefOf(schemas.Pods, o), o.UID, int64(0)
	k.c.Log.Info("removing pod by force", "pod", ref, "node", o.Spec.NodeName)
	err := k.c.API.Delete(ctx, ref, metav1.DeleteOptions{GracePeriodSeconds: &none, Preconditions: &metav1.Preconditions{UID: &uid}})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("remove %s: %w", ref, err)
	}
	return nil
}
