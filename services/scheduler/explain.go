package scheduler

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/status"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/placement"
	"github.com/skerry/skerry/services/scheduler/place"
)

// serveExplain answers pods/placement, which the apiserver hands on: it knows who may
// ask, and the scheduler why.
func serveExplain(ctx context.Context, conn *bus.Conn, s *scheduler) error {
	return conn.Respond(ctx, bus.ExplainSubject, "scheduler", 4, func(ctx context.Context, _ string, body []byte) []byte {
		answer, err := s.explain(ctx, body)
		if err == nil {
			var b []byte
			if b, err = json.Marshal(answer); err == nil {
				return b
			}
		}
		return status.Encode(err)
	})
}

// explain answers one query with an Explanation or a Plan.
func (s *scheduler) explain(ctx context.Context, body []byte) (any, error) {
	var q placement.Query
	if err := json.Unmarshal(body, &q); err != nil {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("read query: %v", err))
	}
	if rev, err := s.store.Last(ctx); err != nil {
		return nil, apierrors.NewServiceUnavailable(err.Error())
	} else if err := s.view.WaitFor(ctx, rev); err != nil {
		return nil, apierrors.NewServiceUnavailable(err.Error())
	}
	if len(q.Pods) > 0 {
		return s.propose(q)
	}
	ref := schemas.Ref{Resource: schemas.Pods, Namespace: schemas.Namespace(q.Namespace), Name: schemas.Name(q.Name)}
	obj, ok := s.view.Get(ref)
	pod, isPod := obj.(*v1.Pod)
	if !ok || !isPod {
		return nil, apierrors.NewNotFound(v1.Resource("pods"), q.Name)
	}
	out := &placement.Explanation{Pod: pod.Namespace + "/" + pod.Name, Node: pod.Spec.NodeName}
	switch {
	case finished(pod):
		out.Message = fmt.Sprintf("the pod has ended (%s): it needs no node", pod.Status.Phase)
		return out, nil
	case len(pod.Spec.SchedulingGates) > 0 && pod.Spec.NodeName == "":
		out.Message = "Scheduling is blocked due to non-empty scheduling gates"
		out.Change = fmt.Sprintf("remove the scheduling gate %s", pod.Spec.SchedulingGates[0].Name)
		return out, nil
	}
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	asks := *pod // its node is where it was placed, not what it asks for
	if d, ok := s.view.Parts(ref).Objects.Desired.(*v1.Pod); ok && d.UID == pod.UID {
		asks.Spec.NodeName = d.Spec.NodeName
	}
	out = s.state.cluster.Explain(place.NewPod(&asks))
	out.Decided = s.memory.get(pod.UID, pod.Spec.NodeName)
	if key, grouped := gangOf(pod); grouped && pod.Spec.NodeName == "" {
		for _, c := range pod.Status.Conditions {
			if c.Type == v1.PodScheduled && c.Message != "" {
				out.Message = c.Message
			}
		}
		if out.Change == "" {
			out.Change = fmt.Sprintf("let the other pods of pod group %q fit", key.name)
		}
	}
	return out, nil
}

func (s *scheduler) propose(q placement.Query) (*placement.Plan, error) {
	total := 0
	for _, p := range q.Pods {
		if p.Pod == nil || p.Count < 0 || p.Count > placement.MaxProposed {
			return nil, apierrors.NewBadRequest(fmt.Sprintf("each proposal needs a pod and a count up to %d", placement.MaxProposed))
		}
		total += p.Count
	}
	if total > placement.MaxProposed {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("%d pods are proposed, at most %d", total, placement.MaxProposed))
	}
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	return s.state.cluster.Propose(q.Pods, func(p *v1.Pod) *place.Together { return s.together(p, q) }), nil
}

// together is what the group of a proposed pod asks for, which may be proposed as well; nil
// if the pod is placed for itself. The caller holds the mirror's lock.
func (s *scheduler) together(p *v1.Pod, q placement.Query) *place.Together {
	key, grouped := gangOf(p)
	if !grouped {
		return nil
	}
	a, why := s.asked(key)
	for _, g := range q.Groups {
		if g.Namespace == key.namespace && g.Name == key.name {
			a, why = askOf(g), ""
		}
	}
	if why == "" && !a.together() {
		return nil
	}
	g, coming := s.state.gangs[key], 0
	if g == nil {
		g = &gang{}
	}
	for _, other := range q.Pods {
		if its, ok := gangOf(other.Pod); ok && its == key {
			coming += other.Count
		}
	}
	if why == "" && coming+len(g.pending)+len(g.placed) < a.count {
		why = fmt.Sprintf("pod group %q has %d of the %d pods that it needs at least", key.name, coming+len(g.pending)+len(g.placed), a.count)
	}
	return &place.Together{Name: key.namespace + "/" + key.name, Need: a.need(g), Why: why, Within: a.within, Beside: slices.Sorted(maps.Keys(g.placed))}
}
