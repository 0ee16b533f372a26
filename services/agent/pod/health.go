package pod

import (
	"fmt"
	"strings"
	"time"

	"github.com/skerry/skerry/services/agent/member"
	"github.com/skerry/skerry/services/agent/probe"
	"github.com/skerry/skerry/services/agent/sandbox"
	"github.com/skerry/skerry/services/agent/status"
)

// Health is what hooks and probes say of one run of a container.
type Health struct {
	// Hook is how far its postStart hook is, "" if nothing is known of it.
	Hook HookState
	// Started and Ready are what its probes say; both are true without probes.
	Started, Ready bool
	// Failed is the probe that ends the container.
	Failed probe.Kind
}

// HookState is how far a postStart hook is.
type HookState string

const (
	HookDue     HookState = "due"
	HookRunning HookState = "running"
	HookDone    HookState = "done"
	HookFailed  HookState = "failed"
)

// verdict is a Health together with what follows from the container's spec.
type verdict struct {
	Health
	// Starting is true until the postStart hook has returned.
	Starting bool
}

// health is what is known of a container that runs. A hook of which nothing is known is
// due, unless the container was reported as running: then it had returned before
// the agent started. A hook is thus run at least once.
func (in Input) health(c member.Container, run *sandbox.Container) verdict {
	h, known := in.Health[run.ID]
	if !known {
		h.Started, h.Ready = true, true
	}
	if c.Lifecycle == nil || c.Lifecycle.PostStart == nil {
		return verdict{Health: h}
	}
	if h.Hook == "" {
		h.Hook = HookDue
		if last := status.Of(in.Memory.Last, c.Name); last != nil && last.State.Running != nil && last.ContainerID == status.ID(run.ID) {
			h.Hook = HookDone
		}
	}
	return verdict{Health: h, Starting: h.Hook != HookDone}
}

// hooking tells whether a container, or the step that starts it, has a postStart
// hook that those after it wait for.
func (p *planner) hooking(c member.Container, s *sandbox.Pod, step *Step) bool {
	if c.Lifecycle == nil || c.Lifecycle.PostStart == nil {
		return false
	}
	if step != nil && step.starts() {
		return true
	}
	n := status.Newest(s, p.Memory.Last, c.Name)
	if n == nil || n.State != sandbox.Running {
		return false
	}
	h := p.health(c, n)
	return h.Hook == HookDue || h.Hook == HookRunning
}

// graceAfter is how long a container has to end after a probe failed.
func (p *planner) graceAfter(c member.Container, failed probe.Kind) time.Duration {
	spec := c.LivenessProbe
	if failed == probe.Startup {
		spec = c.StartupProbe
	}
	if spec != nil && spec.TerminationGracePeriodSeconds != nil {
		return time.Duration(*spec.TerminationGracePeriodSeconds) * time.Second
	}
	return GraceOf(p.Order)
}

// killMessage says why a probe ends a container, and whether it comes again.
func (p *planner) killMessage(c member.Container, failed probe.Kind) string {
	message := fmt.Sprintf("Container %s failed %s probe", c.Name, strings.ToLower(string(failed)))
	if c.Restarts(p.Order, status.Vanished) {
		message += ", will be restarted"
	}
	return message
}

// healths is what a status needs of Health, by container id.
func (in Input) healths(s *sandbox.Pod) map[string]status.Health {
	if in.Order == nil || s == nil {
		return nil
	}
	out := map[string]status.Health{}
	for _, c := range member.All(in.Order) {
		n := status.Newest(s, in.Memory.Last, c.Name)
		if n == nil || n.State != sandbox.Running && n.State != sandbox.Paused {
			continue
		}
		v := in.health(c, n)
		out[n.ID] = status.Health{Starting: v.Starting, Started: v.Started, Ready: v.Ready}
	}
	return out
}
