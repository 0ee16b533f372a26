package scheduler

import (
	"context"
	"encoding/json"
	"fmt"

	"golang.org/x/sync/errgroup"
	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/scheduler/place"
)

// eviction is a victim that has to leave node for pod.
type eviction struct {
	ref  schemas.Ref
	uid  types.UID
	pod  *v1.Pod
	node schemas.NodeName
}

const (
	// evicting is how many victims are deleted at once, and evictable how many wait.
	evicting, evictable = 16, 4096
)

// evict asks for the victims to go. It does not wait; what is lost (the queue is full,
// the apiserver is away) is asked for again when the pod is looked at again.
func (s *scheduler) evict(pod *v1.Pod, pre *place.Preemption) {
	for _, v := range pre.Victims {
		name := v.Ref()
		e := eviction{uid: v.UID, pod: pod, node: pre.Node, ref: schemas.Ref{Resource: schemas.Pods, Namespace: schemas.Namespace(name.Namespace), Name: schemas.Name(name.Name)}}
		select {
		case s.victims <- e:
		default:
			s.Log.Warn("too many evictions at once", "pod", e.ref)
		}
	}
}

// evictions deletes victims until ctx ends.
func (s *scheduler) evictions(ctx context.Context, client *api.Client) error {
	g, ctx := errgroup.WithContext(ctx)
	for range evicting {
		g.Go(func() error {
			for {
				select {
				case <-ctx.Done():
					return ctx.Err()
				case e := <-s.victims:
					if err := s.remove(ctx, client, e); err != nil && ctx.Err() == nil {
						s.Log.Warn("cannot evict a pod", "pod", e.ref, "for", e.pod.Name, "error", err)
					}
				}
			}
		})
	}
	return g.Wait()
}

// remove notes on the victim why it goes, and deletes it with its own grace period.
func (s *scheduler) remove(ctx context.Context, client *api.Client, e eviction) error {
	obj, ok := s.view.Get(e.ref)
	victim, isPod := obj.(*v1.Pod)
	if !ok || !isPod || victim.UID != e.uid || victim.DeletionTimestamp != nil {
		return nil
	}
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": e.uid},
		"status": map[string]any{"conditions": []v1.PodCondition{{
			Type: v1.DisruptionTarget, Status: v1.ConditionTrue, Reason: v1.PodReasonPreemptionByScheduler,
			Message: s.Name + ": preempting to accommodate a higher priority pod", LastTransitionTime: metav1.NewTime(s.Now().Truncate(1e9)),
		}}},
	})
	if err != nil {
		return fmt.Errorf("encode patch: %w", err)
	}
	if _, err := client.Patch(ctx, e.ref, types.StrategicMergePatchType, patch, "status"); err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("mark victim: %w", err)
	}
	err = client.Delete(ctx, e.ref, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &e.uid}})
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil // it is gone, or another pod has its name
	}
	if err != nil {
		return fmt.Errorf("delete victim: %w", err)
	}
	s.events.Eventf(victim, v1.EventTypeNormal, "Preempted", "Preempted by pod %s on node %s", e.pod.UID, e.node)
	return nil
}
