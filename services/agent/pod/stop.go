package pod

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/services/agent/action"
	"github.com/skerry/skerry/services/agent/hook"
	"github.com/skerry/skerry/services/agent/member"
	"github.com/skerry/skerry/services/agent/sandbox"
)

// leastGrace is how long a container has to end after its stop signal, though its preStop
// hook or those before it may have used up its grace. As the kubelet's.
const leastGrace = 2 * time.Second

// stop is a stop under way, of some of a pod's containers.
type stop struct {
	ids      []string
	deadline time.Time
	// hurried is true once the deadline was brought forward.
	hurried bool
	timer   *time.Timer
	// over ends at the deadline.
	over   context.Context //nolint:containedctx // it is a time that moves
	expire context.CancelFunc
}

// victim is one container to stop.
type victim struct {
	id, name string
	// rank orders the ends: all of a lower rank end before.
	rank    int
	preStop *v1.LifecycleHandler
	target  action.Target
}

func (r *Reconciler) isStopping(e *entry) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(e.stops) > 0
}

// stop stops containers in the background: it takes as long as they have to end, and no
// worker waits for that. For those that are being stopped it can bring the deadline forward.
func (r *Reconciler) stop(ctx context.Context, k sandbox.Key, e *entry, in Input, s Step) {
	deadline := r.Now().Add(s.Grace)
	r.mu.Lock()
	ids := slices.Clone(s.IDs)
	for _, st := range e.stops {
		if slices.ContainsFunc(s.IDs, func(id string) bool { return slices.Contains(st.ids, id) }) && deadline.Before(st.deadline.Add(-time.Second)) {
			st.deadline, st.hurried = deadline, true
			st.timer.Reset(s.Grace)
		}
		ids = slices.DeleteFunc(ids, func(id string) bool { return slices.Contains(st.ids, id) })
	}
	if len(ids) == 0 {
		r.mu.Unlock()
		return
	}
	st := &stop{ids: ids, deadline: deadline}
	st.over, st.expire = context.WithCancel(ctx)
	st.timer = time.AfterFunc(s.Grace, st.expire)
	e.stops = append(e.stops, st)
	r.mu.Unlock()
	if s.Restart {
		for _, id := range ids {
			e.mem.Killed = with(e.mem.Killed, id, true)
		}
	}
	victims := r.victims(in, ids)
	r.announceKill(in, s, victims)
	r.background.Go(func() {
		err := r.stopAll(ctx, in.Order, st, victims, s.Grace)
		st.timer.Stop()
		st.expire()
		r.stopped(k, st)
		if err != nil && ctx.Err() == nil {
			r.Log.Warn("stop containers", "pod", k, "error", err)
			if in.Order != nil {
				r.Recorder.Event(in.Order, v1.EventTypeWarning, "FailedKillPod", err.Error())
			}
			r.loop.AddAfter(k, 5*time.Second)
			return
		}
		r.loop.Add(k)
	})
}

// stopped notes that a stop has ended; the entry may have been replaced meanwhile.
func (r *Reconciler) stopped(k sandbox.Key, st *stop) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := r.pods[k]; e != nil {
		e.stops = slices.DeleteFunc(e.stops, func(o *stop) bool { return o == st })
	}
}

// victims finds what stopping the containers takes. Sidecars end after all others, the
// last one first.
func (r *Reconciler) victims(in Input, ids []string) []victim {
	var out []victim
	for _, p := range in.Observed {
		for _, c := range p.Containers {
			if !slices.Contains(ids, c.ID) {
				continue
			}
			v := victim{id: c.ID, name: c.Name}
			if in.Order != nil && in.Order.UID == p.UID {
				v = r.ordered(v, in.Order, &p)
			}
			out = append(out, v)
		}
	}
	return out
}

func (r *Reconciler) ordered(v victim, order *v1.Pod, p *sandbox.Pod) victim {
	all := member.All(order)
	for i, c := range all {
		if c.Name != v.name {
			continue
		}
		if c.Sort == member.Sidecar {
			v.rank = len(all) - i
		}
		v.target = action.Target{ID: v.id, IP: r.address(p), Container: c.Container}
		if c.Lifecycle != nil {
			v.preStop = c.Lifecycle.PreStop
		}
	}
	return v
}

// address is where a pod's containers are reached.
func (r *Reconciler) address(p *sandbox.Pod) string {
	if ips := r.HostIPs(); p.HostNetwork && len(ips) > 0 {
		return ips[0]
	}
	return p.IP
}

// stopAll ends all victims: the hooks at once, then rank by rank. A grace of 0 kills.
func (r *Reconciler) stopAll(ctx context.Context, order *v1.Pod, st *stop, victims []victim, grace time.Duration) error {
	ranks := map[int]*rank{}
	for _, v := range victims {
		if ranks[v.rank] == nil {
			ranks[v.rank] = &rank{ended: make(chan struct{})}
		}
		ranks[v.rank].left.Add(1)
	}
	errs := make(chan error, len(victims))
	for _, v := range victims {
		go func() {
			defer ranks[v.rank].done()
			if grace <= 0 {
				errs <- r.Runtime.StopContainer(ctx, v.id, 0)
				return
			}
			r.preStop(ctx, order, st, v)
			awaitTurn(st.over, ranks, v.rank)
			errs <- r.endContainer(ctx, st, v)
		}()
	}
	var all []error
	for range victims {
		all = append(all, <-errs)
	}
	return errors.Join(all...)
}

// preStop runs a victim's hook, for as long as the grace lasts.
func (r *Reconciler) preStop(ctx context.Context, order *v1.Pod, st *stop, v victim) {
	if v.preStop == nil {
		return
	}
	err := hook.Do(st.over, r.Actions, v.target, v.preStop)
	switch {
	case ctx.Err() != nil:
	case st.over.Err() != nil:
		r.Log.Info("preStop hook did not end in its grace period", "pod", KeyOf(order), "container", v.name)
	case err != nil:
		r.Log.Warn("preStop hook failed", "pod", KeyOf(order), "container", v.name, "error", err)
		// What it said may hold secrets.
		r.Recorder.EventAt(order, member.PathOf(order, v.name), v1.EventTypeWarning, "FailedPreStopHook", "PreStopHook failed")
	}
}

// awaitTurn waits until all of a lower rank have ended, or ctx has.
func awaitTurn(ctx context.Context, ranks map[int]*rank, mine int) {
	for n, before := range ranks {
		if n >= mine {
			continue
		}
		select {
		case <-before.ended:
		case <-ctx.Done():
			return
		}
	}
}

// rank is the victims that may end at the same time.
type rank struct {
	left  atomic.Int32
	ended chan struct{}
}

func (r *rank) done() {
	if r.left.Add(-1) == 0 {
		close(r.ended)
	}
}

// endContainer sends the stop signal, and SIGKILL when the grace is over. The runtime sees to
// that, unless the deadline is brought forward.
func (r *Reconciler) endContainer(ctx context.Context, st *stop, v victim) error {
	r.mu.Lock()
	left := max(st.deadline.Sub(r.Now()), leastGrace)
	r.mu.Unlock()
	if st.over.Err() != nil {
		return r.Runtime.StopContainer(ctx, v.id, left)
	}
	killed := make(chan error, 1)
	off := context.AfterFunc(st.over, func() {
		r.mu.Lock()
		hurried := st.hurried
		r.mu.Unlock()
		if !hurried || ctx.Err() != nil {
			killed <- nil
			return
		}
		killed <- r.Runtime.StopContainer(ctx, v.id, 0)
	})
	err := r.Runtime.StopContainer(ctx, v.id, left)
	if !off() {
		return errors.Join(err, <-killed)
	}
	return err
}

func (r *Reconciler) announceKill(in Input, s Step, victims []victim) {
	if in.Order == nil {
		return
	}
	for _, v := range victims {
		message := s.Why
		if message == "" {
			message = fmt.Sprintf("Stopping container %s", v.name)
		}
		if v.target.ID != "" {
			r.Recorder.EventAt(in.Order, member.PathOf(in.Order, v.name), v1.EventTypeNormal, "Killing", message)
		}
	}
}
