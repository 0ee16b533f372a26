package pod

import (
	"context"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/schemas/share"
	"github.com/skerry/skerry/services/agent/member"
	"github.com/skerry/skerry/services/agent/resize"
	"github.com/skerry/skerry/services/agent/sandbox"
	"github.com/skerry/skerry/services/agent/status"
)

// Resizer changes the limits of containers that run. A runtime that is none needs no telling.
type Resizer interface {
	UpdateContainer(ctx context.Context, id string, r sandbox.Resources) error
}

// Cgroups are those around pods' containers.
type Cgroups interface {
	PodSettings(uid types.UID) (sandbox.Resources, bool)
	SetPod(uid types.UID, r sandbox.Resources) error
}

// sizing is how far the change of a pod's resources is. The pod's worker owns it.
type sizing struct {
	desired  *share.Lean // the order
	granted  *v1.Pod     // what the node makes of it, nil: the same
	pending  *v1.PodCondition
	progress *v1.PodCondition
	failure  Hold
	// actual are resources of containers, by name, that are not yet what was granted; whole
	// are the pod's own, if they are not.
	actual map[string]v1.ResourceRequirements
	whole  *v1.ResourceRequirements
}

// deferredFor is how long a change that does not fit waits before the next look.
const deferredFor = 10 * time.Second

// size returns the order with the resources that the node grants it.
func (r *Reconciler) size(e *entry, order *v1.Pod) *v1.Pod {
	if order == nil || !e.admitted {
		return order
	}
	if terminal(e.mem.Last.Phase) || e.finished {
		r.release(order.UID)
		return order
	}
	granted := resize.Granted(order, e.mem.Last)
	if granted == order && e.rare == nil {
		r.grant(grant{order: e.order}) // as nearly always
		return order
	}
	s := &e.few().size
	var pending *v1.PodCondition
	if granted != order {
		if pending = resize.Decide(order, granted, r.room(order.UID)); pending == nil {
			granted = order
		}
	}
	if eventType, reason, message := resize.Event(s.pending, pending); reason != "" {
		r.Recorder.Event(order, eventType, reason, message)
	}
	switch {
	case granted == order:
		s.granted = nil
	case s.desired == e.order && s.granted != nil && equality.Semantic.DeepEqual(s.granted.Spec, granted.Spec):
		granted = s.granted // what is known by this pointer stays so
	default:
		s.granted = granted
	}
	s.desired, s.pending = e.order, pending
	r.grant(grant{e.order, s.granted})
	return granted
}

// room is what the node has, and has granted to pods other than uid.
func (r *Reconciler) room(uid types.UID) resize.Room {
	r.sweep()
	return resize.Room{Allocatable: r.Allocatable(), Taken: r.taken(uid).Taken}
}

// resize makes running containers have what the pod was granted. It returns when to look
// again, zero if nothing is left to do.
func (r *Reconciler) resize(ctx context.Context, k sandbox.Key, e *entry, in Input) time.Time {
	mine, _ := in.split()
	if in.Order == nil || mine == nil || in.Order.DeletionTimestamp != nil || terminal(e.mem.Last.Phase) {
		return time.Time{}
	}
	todo, whole := r.unsized(e, in.Order, mine), wholeWas(e, in.Order, mine)
	if len(todo) == 0 && whole == nil && e.rare == nil {
		return time.Time{}
	}
	s := &e.few().size
	var wake time.Time
	if s.pending != nil && s.pending.Reason == v1.PodReasonDeferred {
		wake = in.Now.Add(deferredFor)
	}
	if len(todo) == 0 && whole == nil {
		if s.progress != nil {
			r.Recorder.Event(in.Order, v1.EventTypeNormal, "ResizeCompleted", "Pod resize completed")
		}
		s.progress, s.actual, s.whole, s.failure = nil, nil, nil, Hold{}
		return wake
	}
	if s.progress == nil {
		r.Recorder.Event(in.Order, v1.EventTypeNormal, "ResizeStarted", "Pod resize started")
	}
	s.actual, s.whole = map[string]v1.ResourceRequirements{}, whole
	for _, u := range todo {
		s.actual[u.Name] = u.was
	}
	if in.Now.Before(s.failure.Until) {
		return s.failure.Until
	}
	s.progress = inProgress(in.Order, "", "")
	if err := r.actuate(ctx, k, e, in, todo); err != nil {
		s.failure = s.failure.Again(in.Now)
		s.progress = inProgress(in.Order, v1.PodReasonError, err.Error())
		return s.failure.Until
	}
	s.failure = Hold{}
	return in.Now.Add(time.Second) // to see it completed
}

func inProgress(p *v1.Pod, reason, message string) *v1.PodCondition {
	return &v1.PodCondition{Type: v1.PodResizeInProgress, Status: v1.ConditionTrue, Reason: reason, Message: message, ObservedGeneration: p.Generation}
}

// wholeWas are the pod's own resources as they are, nil if they are what was granted: a sandbox
// that is still to be made gets those.
func wholeWas(e *entry, order *v1.Pod, mine *sandbox.Pod) *v1.ResourceRequirements {
	want, was := order.Spec.Resources, e.mem.Last.Resources
	if want == nil || mine.Infra.State != sandbox.Running {
		return nil
	}
	if was == nil {
		was = &v1.ResourceRequirements{}
	}
	if !resize.Differs(*was, *want) {
		return nil
	}
	return was
}

// unsized is a running container whose resources are not what was granted.
type unsized struct {
	member.Container
	id       string
	was      v1.ResourceRequirements
	stopping bool // or otherwise not to be changed now
}

func (r *Reconciler) unsized(e *entry, order *v1.Pod, mine *sandbox.Pod) []unsized {
	var out []unsized
	for _, c := range member.All(order) {
		last, newest := status.Of(e.mem.Last, c.Name), status.Newest(mine, e.mem.Last, c.Name)
		if last == nil || last.Resources == nil || newest == nil || last.ContainerID != status.ID(newest.ID) {
			continue
		}
		if newest.State == sandbox.Created || newest.State == sandbox.Exited {
			continue // the next run has what was granted
		}
		if resize.Differs(*last.Resources, c.Resources) {
			out = append(out, unsized{Container: c, id: newest.ID, was: *last.Resources, stopping: newest.State != sandbox.Running})
		}
	}
	return out
}

// actuate changes containers' limits or has them start anew. Their pod's own grow before
// theirs and shrink after.
func (r *Reconciler) actuate(ctx context.Context, k sandbox.Key, e *entry, in Input, todo []unsized) error {
	goal := PodLimits(in.Order)
	if err := r.surround(in.Order.UID, func(now sandbox.Resources) sandbox.Resources { return wider(now, goal) }); err != nil {
		return err
	}
	resizer, able := r.Runtime.(Resizer)
	restarting := false
	for _, u := range todo {
		if u.stopping {
			restarting = true
			continue
		}
		if resize.Restarts(u.Container.Container, u.was) {
			restarting = true
			r.stop(ctx, k, e, in, Step{Verb: StopContainers, IDs: []string{u.id}, Container: u.Name, Grace: GraceOf(in.Order), Restart: true,
				Why: "Container " + u.Name + " resize requires restart"})
			continue
		}
		if able {
			if err := resizer.UpdateContainer(ctx, u.id, Limits(in.Order, u.Container.Container, r.host())); err != nil {
				return err
			}
		}
		delete(e.few().size.actual, u.Name)
	}
	if restarting {
		return nil // what starts next is smaller
	}
	if err := r.surround(in.Order.UID, func(sandbox.Resources) sandbox.Resources { return goal }); err != nil {
		return err
	}
	if err := r.resizeLone(ctx, e, in, goal); err != nil {
		return err
	}
	e.few().size.whole = nil
	return nil
}

// resizeLone has the containers of a pod without a cgroup around them have what it was granted
// as a whole, where they have no limits of their own.
func (r *Reconciler) resizeLone(ctx context.Context, e *entry, in Input, goal sandbox.Resources) error {
	mine, _ := in.split()
	resizer, able := r.Runtime.(Resizer)
	if e.seldom().size.whole == nil || mine == nil || !able || r.Cgroups == nil {
		return nil
	}
	if _, ok := r.Cgroups.PodSettings(in.Order.UID); ok {
		return nil
	}
	for _, c := range member.All(in.Order) {
		n := mine.Newest(c.Name)
		if n == nil || n.State != sandbox.Running {
			continue
		}
		if err := resizer.UpdateContainer(ctx, n.ID, Limits(in.Order, c.Container, r.host()).Within(goal)); err != nil {
			return err
		}
	}
	return nil
}

// surround changes the cgroup around a pod's containers; one that there is not is left alone.
func (r *Reconciler) surround(uid types.UID, to func(now sandbox.Resources) sandbox.Resources) error {
	if r.Cgroups == nil {
		return nil
	}
	now, ok := r.Cgroups.PodSettings(uid)
	if !ok {
		return nil
	}
	return r.Cgroups.SetPod(uid, to(now))
}

// wider is the larger of each of two settings; none is the largest.
func wider(a, b sandbox.Resources) sandbox.Resources {
	limit := func(x, y int64) int64 {
		if x <= 0 || y <= 0 {
			return 0
		}
		return max(x, y)
	}
	return sandbox.Resources{
		CPUShares: max(a.CPUShares, b.CPUShares), CPUQuota: limit(a.CPUQuota, b.CPUQuota), CPUPeriod: cpuPeriod, Memory: limit(a.Memory, b.Memory),
	}
}

// conditions are those of the change.
func (s *sizing) conditions() []v1.PodCondition {
	var out []v1.PodCondition
	for _, c := range []*v1.PodCondition{s.pending, s.progress} {
		if c != nil {
			out = append(out, *c)
		}
	}
	return out
}
