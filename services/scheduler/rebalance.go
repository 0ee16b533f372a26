package scheduler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	v1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/scheduler/place"
)

// Rebalance moves pods by evicting them: their owners make them again, and they are
// placed anew. It is opt-in.
type Rebalance struct {
	// Every is how often the cluster is looked at, and Most how many pods are evicted
	// each time.
	Every time.Duration
	Most  int
}

// rebalance evicts pods that would better be elsewhere, until ctx ends.
func (s *scheduler) rebalance(ctx context.Context, client *api.Client) error {
	ticker := time.NewTicker(s.Rebalance.Every)
	defer ticker.Stop()
	refused := map[types.UID]time.Time{} // who may not go, and when it was asked
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
		maps.DeleteFunc(refused, func(_ types.UID, at time.Time) bool { return s.Now().Sub(at) > askAgain*s.Rebalance.Every })
		for _, m := range s.moves(refused) {
			if err := s.move(ctx, client, m); err != nil && ctx.Err() == nil {
				refused[m.Pod.UID] = s.Now()
				s.Log.Info("a pod is not moved", "pod", m.Pod.Name, "error", err)
			}
		}
	}
}

// askAgain is after how many turns a pod is asked for again that could not be evicted:
// it must not stand in the way of others.
const askAgain = 20

// moves are what is worth moving now.
func (s *scheduler) moves(refused map[types.UID]time.Time) []place.Move {
	settled := s.Now().Add(-s.Rebalance.Every).Unix()
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	return s.state.cluster.Moves(s.Rebalance.Most, func(p *place.Pod) bool {
		pod, ok := s.pod(p)
		_, no := refused[p.UID]
		return ok && !no && p.Start <= settled && pod.Spec.SchedulerName == s.Name && movable(pod)
	})
}

func (s *scheduler) pod(p *place.Pod) (*v1.Pod, bool) {
	name := p.Ref()
	obj, ok := s.view.Get(schemas.Ref{Resource: schemas.Pods, Namespace: schemas.Namespace(name.Namespace), Name: schemas.Name(name.Name)})
	pod, isPod := obj.(*v1.Pod)
	return pod, ok && isPod && pod.UID == p.UID
}

// movable tells whether a pod loses nothing by being made again elsewhere: it is no
// node's own, belongs to no gang, and keeps no data on its node.
func movable(pod *v1.Pod) bool {
	owner := metav1.GetControllerOfNoCopy(pod)
	if owner == nil || owner.Kind == "DaemonSet" || owner.Kind == "Node" || pod.Spec.SchedulingGroup != nil || pod.Status.Phase != v1.PodRunning {
		return false
	}
	for i := range pod.Spec.Volumes {
		if v := &pod.Spec.Volumes[i]; v.EmptyDir != nil || v.HostPath != nil || v.PersistentVolumeClaim != nil {
			return false
		}
	}
	return true
}

// move evicts a pod, if its PodDisruptionBudget allows it.
func (s *scheduler) move(ctx context.Context, client *api.Client, m place.Move) error {
	pod, ok := s.pod(m.Pod)
	if !ok || pod.DeletionTimestamp != nil || pod.Spec.NodeName != string(m.From) {
		return errors.New("it has changed meanwhile")
	}
	body, err := json.Marshal(policyv1.Eviction{
		TypeMeta:      metav1.TypeMeta{APIVersion: "policy/v1", Kind: "Eviction"},
		ObjectMeta:    metav1.ObjectMeta{Name: pod.Name, Namespace: pod.Namespace},
		DeleteOptions: &metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &pod.UID}},
	})
	if err != nil {
		return fmt.Errorf("encode eviction: %w", err)
	}
	_, err = client.Do(ctx, &api.Request{
		Verb: api.VerbCreate, Resource: schemas.Pods, Namespace: schemas.Namespace(pod.Namespace), Name: schemas.Name(pod.Name), Subresource: "eviction", Body: body,
	})
	switch {
	case apierrors.IsNotFound(err), apierrors.IsConflict(err):
		return nil
	case err != nil:
		return fmt.Errorf("evict: %w", err)
	}
	s.events.Eventf(pod, v1.EventTypeNormal, "Descheduled", "Evicted from %s, where %s would suit it better: %s", m.From, m.To, m.Why)
	return nil
}
