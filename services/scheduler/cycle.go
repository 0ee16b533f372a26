package scheduler

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus/pause"
	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/placement"
	"github.com/skerry/skerry/services/scheduler/place"
)

// write is what is written together: a work order that follows its pod, a placement, a
// verdict, or all of a gang's.
type write struct {
	ops  []store.Op
	pods []decision
}

// decision is one pod's part of a write.
type decision struct {
	item
	// pod and node are set when the write places pod; node "" records a verdict.
	pod     *v1.Pod
	node    schemas.NodeName
	verdict string
	// preempt is what must leave first, once it is written down.
	preempt *place.Preemption
	// score is what node scored; nil if it was not chosen by that.
	score *placement.Score
	// desired is the revision of what the work order was made from; order its number
	// among the write's ops, counted from 1 (0: there is none).
	desired store.Revision
	order   int
}

// places tells whether w puts pods on nodes.
func (w write) places() bool { return len(w.pods) > 0 && w.pods[0].node != "" }

// write writes what a cycle has decided in atomic batches, and waits until the view shows it. What was not written is
// taken back once the view shows all that was: whoever decided about a pod again before could give it a second node, whose
// work order has a key of its own and so meets no conflict.
func (s *scheduler) write(ctx context.Context, writes []write) error {
	s.remember(writes)
	var placements []write // that another scheduler has to settle
	if !s.keepsOrders() {
		placements = slices.DeleteFunc(slices.Clone(writes), func(w write) bool { return !w.places() })
		writes = slices.DeleteFunc(writes, write.places)
	}
	out := s.apply(ctx, writes)
	if len(placements) > 0 {
		if out.err == nil {
			var rev store.Revision
			rev, out.err = s.claim(ctx, placements)
			out.last = max(out.last, rev)
		}
		if out.err != nil {
			out.failed = append(out.failed, placements...)
		}
	}
	if len(out.failed)+len(out.conflicts) == 0 {
		return s.view.WaitFor(ctx, out.last)
	}
	err := s.catchUp(ctx)
	s.forgetAssumed(out.failed...)
	s.forgetAssumed(out.conflicts...)
	for _, w := range out.conflicts {
		for _, d := range w.pods {
			s.state.queue.add(d.item)
		}
	}
	return errors.Join(out.err, err)
}

// catchUp waits until the view shows all that is stored, for as long as it takes until the bus answers.
func (s *scheduler) catchUp(ctx context.Context) error {
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		rev, err := s.store.Last(ctx)
		if err == nil {
			return s.view.WaitFor(ctx, rev)
		}
		if err := pause.About(ctx, wait); err != nil {
			return fmt.Errorf("see what was written: %w", err)
		}
	}
}

// plan decides about every due pod: work orders, then placements in the order of the
// queue, each seeing those before it.
func (s *scheduler) plan(due []item) []write {
	var writes []write
	var pending []decision
	for _, it := range due {
		if s.state.isSettled(it.ref, s.view.Entries(it.ref)) {
			s.state.queue.forget(it.ref)
			continue
		}
		parts := s.view.Parts(it.ref)
		st, err := planOrder(it.ref, parts, s.Name, s.keepsOrders())
		switch {
		case err != nil:
			s.Log.Error("cannot read a pod", "pod", it.ref, "error", err)
		case st.place != nil:
			pending = append(pending, decision{item: it, pod: st.place, desired: parts.Desired.Revision})
		case st.gated != nil:
			if w := s.gate(it, st.gated); len(w.ops) > 0 {
				writes = append(writes, w)
			}
		case len(st.ops) > 0:
			writes = append(writes, write{ops: st.ops, pods: []decision{{item: it, desired: parts.Desired.Revision, order: len(st.ops)}}})
		default:
			s.state.queue.forget(it.ref)
		}
	}
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	done := map[gangKey]bool{}
	for _, d := range pending {
		for _, w := range s.decideOne(d, done) {
			if len(w.ops) > 0 {
				writes = append(writes, w)
			}
		}
	}
	return writes
}

func priority(p *v1.Pod) int32 {
	if p.Spec.Priority == nil {
		return 0
	}
	return *p.Spec.Priority
}

// gate records that a pod waits for its gates.
func (s *scheduler) gate(it item, pod *v1.Pod) write {
	s.state.queue.forget(it.ref)
	op, changed := verdictOp(pod, s.view.Entries(it.ref).Assigned, verdict{
		reason: v1.PodReasonSchedulingGated, message: "Scheduling is blocked due to non-empty scheduling gates",
	}, metav1.NewTime(s.Now().Truncate(1e9)))
	if !changed {
		return write{}
	}
	return write{ops: []store.Op{op}, pods: []decision{{item: it}}}
}

// decideOne places one pod, or the gang that it is of unless that was done already. The
// caller holds the mirror's lock.
func (s *scheduler) decideOne(d decision, done map[gangKey]bool) []write {
	if _, placed := s.state.cluster.Node(d.pod.UID); placed { // somebody binds it by hand
		s.state.queue.putOff(d.item, true, s.Now())
		return nil
	}
	key, grouped := gangOf(d.pod)
	if !grouped {
		return []write{s.decide(d)}
	}
	a, why := s.asked(key)
	g := s.state.gangs[key]
	switch {
	case why == "" && !a.together():
		return []write{s.decide(d)}
	case done[key] || g == nil:
		return nil
	case why == "" && len(g.pending)+len(g.placed) < a.count:
		why = "waiting for minCount pods from a gang to appear in scheduling queue"
	case why == "" && a.need(g) > maxGang:
		why = fmt.Sprintf("pod group %q asks for %d pods at once; at most %d can be placed in one batch", key.name, a.need(g), maxGang)
	}
	if why != "" {
		return []write{s.refuse(d.item, d.pod, verdict{reason: v1.PodReasonUnschedulable, message: why}, true)}
	}
	done[key] = true
	return s.decideGang(g, key.name, a)
}

// decide places one pod in the mirror's cluster, or says why not. The caller holds
// the mirror's lock.
func (s *scheduler) decide(d decision) write {
	p := place.NewPod(d.pod)
	c := s.state.cluster
	node, err := c.Decide(p)
	if err == nil {
		d.score = c.Scores()
		c.SetPod(p, node)
		ops := assign(d.pod, node, s.view.Entries(d.ref).Assigned)
		d.node, d.order = node, len(ops)
		return write{ops: ops, pods: []decision{d}}
	}
	v := verdict{reason: v1.PodReasonUnschedulable, message: err.Error()}
	pre, why := c.Preempt(p)
	var unfit *place.Unfit
	switch {
	case pre != nil:
		c.Nominate(p, pre.Node)
		v.nominated, d.preempt = pre.Node, pre
	case errors.As(err, &unfit) && unfit.Nodes > 0:
		v.message += " preemption: " + why
		fallthrough
	default:
		if node, ok := c.Nominated(p.UID); ok && c.Waits(p) {
			v.nominated = node // its victims are on their way out
		} else {
			c.Unnominate(p.UID)
		}
	}
	w := s.refuse(d.item, d.pod, v, place.Social(d.pod))
	if d.preempt == nil {
		return w
	}
	if len(w.pods) == 0 { // it is written down already: a former attempt to evict failed
		s.evict(d.pod, d.preempt)
		return w
	}
	w.pods[0].preempt = d.preempt
	return w
}

// refuse puts a pod off and writes the verdict, if it is another one than before.
func (s *scheduler) refuse(it item, pod *v1.Pod, v verdict, social bool) write {
	s.state.queue.putOff(it, social, s.Now())
	op, changed := verdictOp(pod, s.view.Entries(it.ref).Assigned, v, metav1.NewTime(s.Now().Truncate(1e9)))
	if !changed {
		return write{}
	}
	return write{ops: []store.Op{op}, pods: []decision{{item: it, pod: pod, verdict: v.message}}}
}

// maxOps is the most writes of a batch of writes that need not be in one.
const maxOps = 960

// outcome is what became of writes.
type outcome struct {
	last store.Revision // the newest of what was written
	// conflicts are of pods that changed meanwhile, or that were bound by hand: they have another turn
	// with fresh state. failed are all others that were not written, or may not have been.
	conflicts, failed []write
	err               error // the first that was no conflict
}

// apply writes everything.
func (s *scheduler) apply(ctx context.Context, writes []write) (out outcome) {
	s.commit(ctx, writes, func(i int, rev store.Revision, err error) { s.written(&out, writes[i], rev, err) })
	if out.err != nil {
		out.err = fmt.Errorf("write work orders: %w", out.err)
	}
	return out
}

// commit stores writes, and tells of each what became of it. Single keys are independent
// of each other; what must be written together shares batches, and is written piece by
// piece if one conflicts.
func (s *scheduler) commit(ctx context.Context, writes []write, told func(i int, rev store.Revision, err error)) {
	var ops []store.Op
	var single, joint []int
	for i, w := range writes {
		if len(w.ops) == 1 {
			ops, single = append(ops, w.ops[0]), append(single, i)
		} else {
			joint = append(joint, i)
		}
	}
	revs, errs := s.store.Each(ctx, ops...)
	for n, i := range single {
		told(i, revs[n], errs[n])
	}
	for len(joint) > 0 {
		ops, n := writes[joint[0]].ops, 1
		for n < len(joint) && len(ops)+len(writes[joint[n]].ops) <= maxOps {
			ops = append(ops[:len(ops):len(ops)], writes[joint[n]].ops...)
			n++
		}
		part := joint[:n]
		joint = joint[n:]
		rev, err := s.store.Apply(ctx, ops...)
		if n > 1 && errors.Is(err, store.ErrConflict) {
			for _, i := range part {
				rev, err := s.store.Apply(ctx, writes[i].ops...)
				told(i, rev, err)
			}
			continue
		}
		rev -= store.Revision(len(ops)) // revisions in a batch are consecutive
		for _, i := range part {
			rev += store.Revision(len(writes[i].ops))
			told(i, rev, err)
		}
	}
}

// written acts on what became of one write.
func (s *scheduler) written(out *outcome, w write, rev store.Revision, err error) {
	switch {
	case errors.Is(err, store.ErrConflict):
		out.conflicts = append(out.conflicts, w)
	case errors.Is(err, store.ErrInvalid):
		s.Log.Error("pods cannot be placed together", "pods", len(w.pods), "error", err)
		s.forgetAssumed(w)
		for _, d := range w.pods {
			s.state.queue.putOff(d.item, true, s.Now())
		}
	case err != nil:
		out.failed = append(out.failed, w)
		if out.err == nil {
			out.err = err
		}
	default:
		s.state.settle(w, rev)
		s.done(w)
		out.last = max(out.last, rev)
	}
}

// remember keeps what decided placements, before anybody can see them and ask.
func (s *scheduler) remember(writes []write) {
	for _, w := range writes {
		for _, d := range w.pods {
			if d.node != "" && d.score != nil {
				s.memory.put(d.pod.UID, placement.Decided{Node: string(d.node), At: s.Now(), Score: *d.score})
			}
		}
	}
}

// done tells the world what was decided.
func (s *scheduler) done(part ...write) {
	for _, w := range part {
		for _, d := range w.pods {
			switch {
			case d.node != "":
				s.state.queue.forget(d.ref)
				s.events.Eventf(d.pod, v1.EventTypeNormal, "Scheduled", "Successfully assigned %s/%s to %s", d.pod.Namespace, d.pod.Name, d.node)
			case d.verdict != "":
				s.events.Event(d.pod, v1.EventTypeWarning, "FailedScheduling", d.verdict)
			default:
				s.state.queue.forget(d.ref)
			}
			if d.preempt != nil {
				s.evict(d.pod, d.preempt)
			}
		}
	}
}

// forgetAssumed takes placements back that were not written: there is room again, for which others were told that
// there was none. If one was written after all (its answer was lost), the view's change puts it in again.
func (s *scheduler) forgetAssumed(writes ...write) {
	if s.takeBack(writes) {
		s.state.queue.changed()
	}
}

func (s *scheduler) takeBack(writes []write) (some bool) {
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	for _, w := range writes {
		for _, d := range w.pods {
			if d.node == "" {
				continue
			}
			order, ok := s.view.Parts(d.ref).Objects.Assigned.(*v1.Pod)
			if ok && order.UID == d.pod.UID && order.Spec.NodeName != "" {
				continue
			}
			s.state.cluster.RemovePod(d.pod.UID)
			s.memory.drop(d.pod.UID)
			some = true
		}
	}
	return some
}
