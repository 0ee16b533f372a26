package pod

import (
	"slices"

	"github.com/skerry/skerry/services/agent/member"
	"github.com/skerry/skerry/services/agent/sandbox"
	"github.com/skerry/skerry/services/agent/status"
)

// restartAll plans the restart of every container, if a rule of one that has ended asks for it:
// all are stopped, and removed so that the pod begins anew, init containers first, in the
// sandbox that it has. That it restarts is a condition of the status, which outlives the agent:
// once they are removed nothing else tells.
func (p *planner) restartAll(s *sandbox.Pod) bool {
	if s == nil || s.Infra.State != sandbox.Running || !p.asksForAll(s) {
		return false
	}
	p.plan.RestartAll = true
	var mine []sandbox.Container
	for _, c := range s.Containers {
		if m, ok := member.Find(p.Order, c.Name); ok && m.Sort != member.Ephemeral {
			mine = append(mine, c)
		}
	}
	if ids := alive(mine); len(ids) > 0 {
		p.do(Step{Verb: StopContainers, Sandbox: s.ID, IDs: ids, Grace: GraceOf(p.Order)})
		return true
	}
	// The one that asks goes last: until then it is known what goes on.
	for _, last := range []bool{false, true} {
		for _, c := range mine {
			if p.asks(s, c) == last {
				p.do(Step{Verb: RemoveContainer, IDs: []string{c.ID}, Container: c.Name, Restart: true})
			}
		}
	}
	return true
}

func (p *planner) asksForAll(s *sandbox.Pod) bool {
	return slices.ContainsFunc(s.Containers, func(c sandbox.Container) bool { return p.asks(s, c) })
}

// asks tells whether a container's end is to restart all.
func (p *planner) asks(s *sandbox.Pod, c sandbox.Container) bool {
	m, ok := member.Find(p.Order, c.Name)
	n := status.Newest(s, p.Memory.Last, c.Name)
	return ok && n != nil && n.ID == c.ID && c.State == sandbox.Exited && m.RestartsAll(c.ExitCode)
}
