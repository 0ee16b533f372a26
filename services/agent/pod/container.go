package pod

import (
	"fmt"
	"time"

	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/services/agent/image"
	"github.com/skerry/skerry/services/agent/member"
	"github.com/skerry/skerry/services/agent/sandbox"
	"github.com/skerry/skerry/services/agent/status"
)

// ending is how a container's last run ended.
type ending struct {
	code int
	at   time.Time
}

// container plans one container. It returns a step, if one is due now, and
// whether the container runs or is still to run.
func (p *planner) container(c member.Container, s *sandbox.Pod, lost bool) (*Step, bool) {
	newest := status.Newest(s, p.Memory.Last, c.Name)
	changed := newest != nil && newest.Hash != Hash(c.Container) && c.Sort != member.Ephemeral
	end, attempt := p.past(c.Name, newest)
	switch {
	case newest != nil && end == nil && !lost:
		return p.present(c, s, newest, changed), true
	case newest != nil && lost && end == nil:
		// It cannot outlive its namespaces: it starts anew with the next sandbox.
		return nil, true
	case end != nil && !changed && !p.restarts(c, newest, end):
		return nil, false
	}
	if end != nil && !changed && !(c.Sort == member.Init && end.code == 0) {
		until := p.Memory.Backoff[c.Name].Until(end.at)
		if p.Now.Before(until) {
			p.wake(until)
			p.wait(c.Name, "CrashLoopBackOff", fmt.Sprintf("back-off %s restarting failed container=%s pod=%s_%s(%s)",
				p.Memory.Backoff[c.Name].Delay, c.Name, p.Order.Name, p.Order.Namespace, p.Order.UID))
			return nil, true
		}
	}
	if f := p.Memory.Failures[c.Name]; p.Now.Before(f.Until) {
		p.wake(f.Until)
		p.wait(c.Name, f.Reason, f.Message)
		return nil, true
	}
	return p.start(c.Container, attempt), true
}

// restarts tells whether a container that has ended is to start again. An init container
// whose sandbox was made anew is, whatever came of it before, unless it failed for good.
func (p *planner) restarts(c member.Container, newest *sandbox.Container, end *ending) bool {
	if c.Sort == member.Init && end.code == 0 {
		return true
	}
	if newest == nil && c.Sort != member.Ephemeral && status.Restarting(p.Memory.Last) {
		return true
	}
	if newest != nil && p.Memory.Killed[newest.ID] && c.Restarts(p.Order, status.Vanished) {
		return true
	}
	return c.Restarts(p.Order, end.code)
}

// past tells how the container's last run ended, nil if it has not, and the
// number of its next one.
func (p *planner) past(name string, newest *sandbox.Container) (*ending, int) {
	if newest != nil {
		if f, ok := p.Memory.Unstarted[newest.ID]; ok {
			return &ending{code: status.StartError, at: f.At}, newest.Attempt + 1
		}
		if newest.State == sandbox.Exited {
			return &ending{code: newest.ExitCode, at: newest.FinishedAt}, newest.Attempt + 1
		}
		return nil, newest.Attempt + 1
	}
	last := status.Of(p.Memory.Last, name)
	if last == nil || last.ContainerID == "" {
		return nil, 0
	}
	// It ran, and was removed behind the agent's back, alone or with its sandbox.
	next := int(last.RestartCount) + 1
	t := status.Ended(last)
	if t == nil {
		return &ending{code: status.Vanished}, next
	}
	return &ending{code: int(t.ExitCode), at: t.FinishedAt.Time}, next
}

// present plans a container that is made and has not ended.
func (p *planner) present(c member.Container, s *sandbox.Pod, newest *sandbox.Container, changed bool) *Step {
	stop := func(grace time.Duration, why string) *Step {
		return &Step{Verb: StopContainers, Sandbox: s.ID, IDs: []string{newest.ID}, Container: c.Name, Grace: grace, Why: why}
	}
	switch newest.State {
	case sandbox.Created:
		return &Step{Verb: ResumeContainer, Sandbox: s.ID, IDs: []string{newest.ID}, Container: c.Name, Attempt: newest.Attempt}
	case sandbox.Unknown:
		p.wake(p.Now.Add(time.Second))
		return nil
	case sandbox.Paused:
		return nil
	}
	h := p.health(c, newest)
	switch {
	case changed:
		return stop(GraceOf(p.Order), fmt.Sprintf("Container %s definition changed, will be restarted", c.Name))
	case h.Hook == HookFailed:
		return stop(GraceOf(p.Order), "FailedPostStartHook")
	case h.Hook == HookDue:
		return &Step{Verb: RunHook, Sandbox: s.ID, IDs: []string{newest.ID}, Container: c.Name}
	case h.Failed != "":
		kill := stop(p.graceAfter(c, h.Failed), p.killMessage(c, h.Failed))
		kill.Restart = true
		return kill
	}
	return nil
}

// start plans a start, or what its image needs first.
func (p *planner) start(c *v1.Container, attempt int) *Step {
	st, policy := p.Images[c.Name], image.Policy(c.Image, c.ImagePullPolicy)
	pull := &Step{Verb: PullImage, Container: c.Name, Attempt: attempt}
	switch st.Phase {
	case image.Pulling:
		return nil
	case image.Untried:
		if policy == v1.PullAlways {
			return pull
		}
	case image.Missing:
		if policy != v1.PullNever {
			return pull
		}
		if p.Now.Before(st.Until) {
			p.wake(st.Until)
			p.wait(c.Name, "ErrImageNeverPull", fmt.Sprintf("Container image %q is not present with pull policy of Never", c.Image))
			return nil
		}
	case image.Failed:
		return p.pullFailed(c, st, pull)
	}
	return &Step{Verb: StartContainer, Container: c.Name, Attempt: attempt}
}

// shownFor is how long a failed pull is reported as such before it is reported
// as waiting for the next try.
const shownFor = 2 * time.Second

func (p *planner) pullFailed(c *v1.Container, st image.State, pull *Step) *Step {
	if !p.Now.Before(st.Until) {
		return pull
	}
	if shown := st.Since.Add(shownFor); p.Now.Before(shown) {
		p.wake(shown)
		p.wait(c.Name, "ErrImagePull", st.Message)
		return nil
	}
	p.wake(st.Until)
	p.wait(c.Name, "ImagePullBackOff", fmt.Sprintf("Back-off pulling image %q: ErrImagePull: %s", c.Image, st.Message))
	return nil
}
