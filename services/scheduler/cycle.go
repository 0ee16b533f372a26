package scheduler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sort"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/scheduler/place"
)

// write is one pod's part of a cycle's batch.
type write struct {
	ref schemas.Ref
	ops []store.Op
	// pod and node are set when the write places pod; node "" records a verdict.
	pod     *v1.Pod
	node    schemas.NodeName
	verdict string
	// desired is the revision of what the work order was made from.
	desired store.Revision
}

// cycle looks at the pods that are due, and writes all that follows. It waits until the view shows the writes: the next cycle sees them.
func (s *scheduler) cycle(ctx context.Context, due []schemas.Ref) error {
	writes := s.plan(due)
	if len(writes) == 0 {
		return nil
	}
	last, err := s.apply(ctx, writes)
	if err != nil {
		s.forgetAssumed(writes)
		return err
	}
	return s.view.WaitFor(ctx, last)
}

// plan decides about every due pod: work orders first, then placements by
// priority and age, each seeing those before it.
func (s *scheduler) plan(due []schemas.Ref) []write {
	var writes []write
	var pending []write
	for _, ref := range due {
		parts := s.view.Parts(ref)
		if s.state.isSettled(ref, parts) {
			s.state.queue.forget(ref)
			continue
		}
		st, err := planOrder(ref, parts, s.Name)
		switch {
		case err != nil:
			s.Log.Error("cannot read a pod", "pod", ref, "error", err)
		case st.place != nil:
			pending = append(pending, write{ref: ref, pod: st.place, desired: parts.Desired.Revision})
		case len(st.ops) > 0:
			writes = append(writes, write{ref: ref, ops: st.ops, desired: parts.Desired.Revision})
		default:
			s.state.queue.forget(ref)
		}
	}
	sort.Slice(pending, func(i, j int) bool { return before(pending[i].pod, pending[j].pod) })
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	for _, w := range pending {
		if w, changed := s.decide(w); changed {
			writes = append(writes, w)
		}
	}
	return writes
}

// before orders the queue: higher priority, then older, then by name.
func before(a, b *v1.Pod) bool {
	pa, pb := priority(a), priority(b)
	switch {
	case pa != pb:
		return pa > pb
	case !a.CreationTimestamp.Equal(&b.CreationTimestamp):
		return a.CreationTimestamp.Before(&b.CreationTimestamp)
	}
	return a.Namespace+"/"+a.Name < b.Namespace+"/"+b.Name
}

func priority(p *v1.Pod) int32 {
	if p.Spec.Priority == nil {
		return 0
	}
	return *p.Spec.Priority
}

// decide places one pod in the mirror's cluster, or says why not. The caller holds
// the mirror's lock.
func (s *scheduler) decide(w write) (write, bool) {
	verdict := s.view.Parts(w.ref).Assigned
	p := place.NewPod(w.pod)
	node, err := s.state.cluster.Decide(p)
	if err != nil {
		s.state.queue.putOff(w.ref, s.Now())
		op, changed := verdictOp(w.pod, verdict, err.Error(), metav1.NewTime(s.Now().Truncate(1e9)))
		w.ops, w.verdict = []store.Op{op}, err.Error()
		return w, changed
	}
	s.state.cluster.SetPod(p, node)
	w.node, w.ops = node, assign(w.pod, node, verdict)
	return w, true
}

// apply writes everything, each pod's part for itself: who conflicts (the pod changed
// meanwhile, an order was bound by hand) has another turn with fresh state.
func (s *scheduler) apply(ctx context.Context, writes []write) (last store.Revision, err error) {
	var ops []store.Op
	var single []write
	for _, w := range writes {
		if len(w.ops) == 1 {
			ops, single = append(ops, w.ops[0]), append(single, w)
		}
	}
	revs, errs := s.store.Each(ctx, ops...)
	for i, w := range single {
		last, err = s.written(w, revs[i], errs[i], last, err)
	}
	for _, w := range writes {
		if len(w.ops) > 1 { // a verdict goes and a work order comes, or neither
			rev, applyErr := s.store.Apply(ctx, w.ops...)
			last, err = s.written(w, rev, applyErr, last, err)
		}
	}
	if err != nil {
		return last, fmt.Errorf("write work orders: %w", err)
	}
	return last, nil
}

// written acts on what became of one write, and returns the newest revision and the
// first error that was no conflict.
func (s *scheduler) written(w write, rev store.Revision, err error, last store.Revision, first error) (store.Revision, error) {
	switch {
	case errors.Is(err, store.ErrConflict):
		s.forgetAssumed([]write{w})
		s.state.queue.add(w.ref)
	case err != nil:
		if first == nil {
			first = err
		}
	default:
		s.state.settle(w, rev)
		s.done(w)
		last = max(last, rev)
	}
	return last, first
}

// done tells the world what was decided.
func (s *scheduler) done(part ...write) {
	for _, w := range part {
		switch {
		case w.node != "":
			s.state.queue.forget(w.ref)
			s.events.Eventf(w.pod, v1.EventTypeNormal, "Scheduled", "Successfully assigned %s/%s to %s", w.pod.Namespace, w.pod.Name, w.node)
		case w.verdict != "":
			s.events.Event(w.pod, v1.EventTypeWarning, "FailedScheduling", w.verdict)
		}
	}
}

// forgetAssumed takes placements back that were not written. If one was written
// after all (its answer was lost), the view's change puts it in again.
func (s *scheduler) forgetAssumed(writes []write) {
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	for _, w := range writes {
		if w.node == "" {
			continue
		}
		var order v1.Pod
		a := s.view.Parts(w.ref).Assigned
		if a.Value != nil && json.Unmarshal(a.Value, &order) == nil && order.UID == w.pod.UID && order.Spec.NodeName != "" {
			continue
		}
		s.state.cluster.RemovePod(w.pod.UID)
	}
}
