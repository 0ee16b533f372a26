package pod

import (
	"github.com/skerry/skerry/services/agent/member"
	"github.com/skerry/skerry/services/agent/sandbox"
	"github.com/skerry/skerry/services/agent/status"
)

// stage is how far a pod's initialization is.
type stage int

const (
	initializing stage = iota
	initialized
	initFailed // for good, and so has the pod
)

// initialize plans the init containers up to the first that holds back what follows.
// They run once for each sandbox; once a main container was made in it, only the sidecars
// matter.
func (p *planner) initialize(s *sandbox.Pod, lost bool) ([]Step, stage) {
	var steps []Step
	begun := p.begun(s)
	for _, c := range member.All(p.Order) {
		if c.Sort != member.Init && c.Sort != member.Sidecar {
			continue
		}
		if c.Sort == member.Init && (begun || p.passed(c, s)) {
			continue
		}
		step, wanted := p.container(c, s, lost)
		if !wanted {
			return nil, initFailed
		}
		if step != nil {
			steps = append(steps, *step)
		}
		if c.Sort == member.Init || !begun && !p.started(c, s) {
			return steps, initializing
		}
	}
	return steps, initialized
}

// begun tells whether a main container was made in the sandbox.
func (p *planner) begun(s *sandbox.Pod) bool {
	for _, c := range member.All(p.Order) {
		if c.Sort == member.Main && status.Newest(s, p.Memory.Last, c.Name) != nil {
			return true
		}
	}
	return false
}

// passed tells whether an init container has done its work in this sandbox.
func (p *planner) passed(c member.Container, s *sandbox.Pod) bool {
	n := status.Newest(s, p.Memory.Last, c.Name)
	return n != nil && n.State == sandbox.Exited && n.ExitCode == 0
}

// started tells whether a sidecar is far enough for what comes after it.
func (p *planner) started(c member.Container, s *sandbox.Pod) bool {
	n := status.Newest(s, p.Memory.Last, c.Name)
	if n == nil || n.State != sandbox.Running {
		return false
	}
	h := p.health(c, n)
	return !h.Starting && h.Started
}

// ephemerals plans the containers that were added to look into the pod. Each is
// started once, in a sandbox that runs and beside the container that it looks at.
func (p *planner) ephemerals(s *sandbox.Pod) {
	if s.Infra.State != sandbox.Running {
		return
	}
	for _, c := range member.All(p.Order) {
		if c.Sort != member.Ephemeral {
			continue
		}
		if c.Target != "" && status.Newest(s, p.Memory.Last, c.Name) == nil {
			t := status.Newest(s, p.Memory.Last, c.Target)
			if t == nil || t.State != sandbox.Running {
				continue
			}
		}
		if step, _ := p.container(c, s, false); step != nil {
			p.do(*step)
		}
	}
}
