package status

import (
	"cmp"

	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/services/agent/member"
)

// tally counts the states that a phase follows from.
type tally struct {
	running, waiting, stopped, succeeded int
	// again counts the stopped ones that are to start again, pending the init containers that
	// have not done their work, failed those that never will.
	again, pending, failed int
}

// phase is as the kubelet's, from the states of all containers. Unlike that one it
// names no end before the last container has ended.
func (in Input) phase(st v1.PodStatus) v1.PodPhase {
	if p := in.Last.Phase; p == v1.PodSucceeded || p == v1.PodFailed {
		return p
	}
	if in.restarting() {
		return cmp.Or(in.Last.Phase, v1.PodPending)
	}
	t := in.tally(st)
	deleted := in.Pod.DeletionTimestamp != nil && t.running == 0
	ended := t.running == 0
	switch {
	case ended && st.Reason != "":
		return v1.PodFailed
	case deleted && t.waiting == 0 && t.pending == 0 && t.stopped == t.succeeded:
		return v1.PodSucceeded
	case deleted, ended && t.failed > 0:
		return v1.PodFailed
	case t.pending > 0, t.failed > 0, t.waiting > 0:
		return v1.PodPending
	case t.running > 0, t.again > 0:
		return v1.PodRunning
	case t.stopped == t.succeeded:
		return v1.PodSucceeded
	}
	return v1.PodFailed
}

func (in Input) tally(st v1.PodStatus) tally {
	var t tally
	begun := false // a main container has run: a sidecar that restarts makes the pod Pending no more
	for i := range st.ContainerStatuses {
		c := &st.ContainerStatuses[i]
		begun = begun || c.State.Running != nil || Ended(c) != nil
	}
	for _, c := range member.All(in.Pod) {
		cs := Of(st, c.Name)
		switch c.Sort {
		case member.Init:
			t.init(in.Pod, c, cs)
		case member.Sidecar:
			t.sidecar(cs, begun)
		case member.Main:
			t.main(in.Pod, c, cs)
		}
	}
	return t
}

func (t *tally) init(p *v1.Pod, c member.Container, cs *v1.ContainerStatus) {
	end := Ended(cs)
	switch {
	case cs.State.Running != nil:
		t.running++
		t.pending++
	case end == nil:
		t.pending++
	case end.ExitCode != 0 && !c.Restarts(p, int(end.ExitCode)):
		t.failed++
	case end.ExitCode != 0:
		t.pending++
	}
}

func (t *tally) sidecar(cs *v1.ContainerStatus, begun bool) {
	if cs.State.Running != nil {
		t.running++
	}
	if !begun && (cs.State.Running == nil && Ended(cs) == nil || cs.State.Running != nil && !*cs.Started) {
		t.pending++
	}
}

func (t *tally) main(p *v1.Pod, c member.Container, cs *v1.ContainerStatus) {
	end := Ended(cs)
	switch {
	case cs.State.Running != nil:
		t.running++
	case end == nil:
		t.waiting++
	default:
		t.stopped++
		if end.ExitCode == 0 {
			t.succeeded++
		}
		if c.Restarts(p, int(end.ExitCode)) {
			t.again++
		}
	}
}
