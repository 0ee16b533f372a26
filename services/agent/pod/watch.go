package pod

import (
	"context"

	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/services/agent/action"
	"github.com/skerry/skerry/services/agent/hook"
	"github.com/skerry/skerry/services/agent/member"
	"github.com/skerry/skerry/services/agent/probe"
	"github.com/skerry/skerry/services/agent/sandbox"
	"github.com/skerry/skerry/services/agent/status"
)

// watchHealth has the containers that run probed, and no others, and returns what hooks
// and probes say of them.
func (r *Reconciler) watchHealth(k sandbox.Key, in Input) map[string]Health {
	mine, _ := in.split()
	if in.Order == nil || mine == nil || mine.Infra.State != sandbox.Running || terminal(in.Memory.Last.Phase) {
		r.leaveOff(k)
		return nil
	}
	running, out := map[string]bool{}, map[string]Health{}
	var targets []probe.Target
	in.Health = out
	for _, c := range member.All(in.Order) {
		n := status.Newest(mine, in.Memory.Last, c.Name)
		if n == nil || n.State != sandbox.Running {
			continue
		}
		running[n.ID] = true
		out[n.ID] = Health{Hook: hookState(r.starts.State(n.ID)), Started: c.StartupProbe == nil, Ready: c.ReadinessProbe == nil}
		if probed(c.Container) && !in.health(c, n).Starting {
			targets = append(targets, r.probeTarget(in, mine, c, n))
		}
	}
	r.prober.Set(k, targets)
	r.starts.Keep(k, running)
	for _, t := range targets {
		if st, ok := r.prober.State(k, t.ID); ok {
			out[t.ID] = Health{Hook: out[t.ID].Hook, Started: st.Started, Ready: st.Ready, Failed: st.Failed}
		}
	}
	return out
}

// leaveOff ends probes and hooks of a pod of which nothing runs.
func (r *Reconciler) leaveOff(k sandbox.Key) {
	r.prober.Set(k, nil)
	r.starts.Keep(k, nil)
}

func probed(c *v1.Container) bool {
	return c.StartupProbe != nil || c.LivenessProbe != nil || c.ReadinessProbe != nil
}

// probeTarget is a container that runs. What was reported of this very run holds until its
// probes say otherwise: a restarted agent makes no pod unready.
func (r *Reconciler) probeTarget(in Input, p *sandbox.Pod, c member.Container, n *sandbox.Container) probe.Target {
	t := probe.Target{
		Target: action.Target{ID: n.ID, IP: r.address(p), Container: c.Container},
		Pod:    in.Order, StartedAt: n.StartedAt, Terminating: in.Order.DeletionTimestamp != nil,
	}
	if last := status.Of(in.Memory.Last, c.Name); last != nil && last.ContainerID == status.ID(n.ID) && last.State.Running != nil {
		t.Started, t.Ready = last.Started != nil && *last.Started, last.Ready
	}
	return t
}

func hookState(s hook.State) HookState {
	switch s {
	case hook.Running:
		return HookRunning
	case hook.Done:
		return HookDone
	case hook.Failed:
		return HookFailed
	}
	return ""
}

// postStart runs a container's postStart hook in the background.
func (r *Reconciler) postStart(ctx context.Context, k sandbox.Key, in Input, s Step) {
	c, ok := member.Find(in.Order, s.Container)
	mine, _ := in.split()
	if !ok || mine == nil {
		return // plans name containers of the order and its sandbox only
	}
	t := action.Target{ID: s.IDs[0], IP: r.address(mine), Container: c.Container}
	r.starts.Begin(ctx, k, t, c.Lifecycle.PostStart, func(err error) {
		if err != nil {
			r.Log.Warn("postStart hook failed", "pod", k, "container", s.Container, "error", err)
			// What it said may hold secrets.
			r.Recorder.EventAt(in.Order, c.Path(), v1.EventTypeWarning, "FailedPostStartHook", "PostStartHook failed")
		}
		r.loop.Add(k)
	})
}
