package pod

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/skerry/skerry/services/agent/sandbox"
	"github.com/skerry/skerry/services/agent/status"
)

func parse(s string) resource.Quantity { return resource.MustParse(s) }

// model is a runtime and an agent's memory that plans are applied to in a test.
type model struct {
	in     Input
	serial int
	gone   bool // Finish or Forget was reached
}

func (m *model) apply(p Plan) {
	s := m.sandbox()
	for _, st := range p.Steps {
		switch st.Verb {
		case CreateSandbox:
			m.in.Observed = append(m.in.Observed, up())
			s = m.sandbox()
		case StartSandbox:
			s.Infra.State = sandbox.Running
		case StopSandbox:
			s.Infra.State = sandbox.Exited
		case RemoveSandbox:
			m.in.Observed, s = nil, nil
		case StartContainer:
			m.serial++
			n := named(st.Container, st.Attempt, sandbox.Running, 0)
			n.ID = fmt.Sprint("id", m.serial)
			if st.Container == "a" { // an init container does its work at once
				n.State, n.FinishedAt = sandbox.Exited, m.in.Now
			}
			s.Containers = append(s.Containers, n)
			if st.Attempt > 0 {
				m.in.Memory.Backoff = with(m.in.Memory.Backoff, st.Container, m.in.Memory.Backoff[st.Container].Next(m.in.Now))
			}
		case StopContainers, ResumeContainer, RemoveContainer:
			m.each(s, st)
		case Finish, Forget:
			m.gone = true
		}
	}
	if m.in.Order != nil {
		m.in.Memory.Last = status.Compute(status.Input{
			Pod: m.in.Order, Sandbox: m.sandbox(), Last: m.in.Memory.Last, Waiting: p.Waiting, Health: m.in.healths(m.sandbox()), RestartAll: p.RestartAll, Now: m.in.Now,
		})
	}
}

func (m *model) each(s *sandbox.Pod, st Step) {
	kept := s.Containers[:0]
	for _, o := range s.Containers {
		if slices.Contains(st.IDs, o.ID) {
			switch st.Verb {
			case StopContainers:
				o.State, o.ExitCode, o.FinishedAt = sandbox.Exited, 143, m.in.Now
			case ResumeContainer:
				o.State = sandbox.Running
			case RemoveContainer:
				continue
			}
		}
		kept = append(kept, o)
	}
	s.Containers = kept
}

func (m *model) sandbox() *sandbox.Pod {
	if len(m.in.Observed) == 0 {
		return nil
	}
	return &m.in.Observed[0]
}

// disturb does one of the things that happen behind an agent's back.
func (m *model) disturb(r *rand.Rand) string {
	s := m.sandbox()
	what := r.IntN(6)
	switch {
	case what == 0 || s == nil:
		m.in.Observed = nil
		return "all removed"
	case what == 1:
		s.Infra.State = sandbox.Exited
		return "sandbox died"
	case what == 2 && len(s.Containers) > 0:
		s.Containers = s.Containers[:len(s.Containers)-1]
		return "newest removed"
	case what == 3:
		m.in.Now = m.in.Now.Add(time.Duration(r.IntN(900)) * time.Second)
		return "time passed"
	case len(s.Containers) > 0:
		n := s.Newest(s.Containers[r.IntN(len(s.Containers))].Name)
		n.State, n.ExitCode, n.FinishedAt = sandbox.Exited, []int{0, 1, 42}[r.IntN(3)], m.in.Now
		return fmt.Sprint(n.Name, " ended with ", n.ExitCode)
	}
	return "nothing"
}

// settle applies plans until there is nothing to do, letting time pass for those that wait.
func (m *model) settle(t *testing.T, trail []string) {
	t.Helper()
	for range 20 {
		p := Make(m.in)
		m.apply(p)
		if len(p.Steps) == 0 || m.gone {
			if again := Make(m.in); len(again.Steps) > 0 && !m.gone && m.in.Memory.Last.Phase == v1.PodRunning {
				t.Fatalf("after %v: planning again gives %s", trail, render(again))
			}
			if p.Wake.IsZero() || m.gone {
				return
			}
			m.in.Now = p.Wake
		}
	}
	t.Fatalf("after %v: it does not settle: %s", trail, render(Make(m.in)))
}

func TestPlansSettle(t *testing.T) {
	all := func(p *v1.Pod) { // c's rule restarts all; a policy of its own that is the pod's
		all42(p)
		p.Spec.Containers[0].RestartPolicy = new(v1.ContainerRestartPolicy(p.Spec.RestartPolicy))
	}
	shapes := [][]func(*v1.Pod){nil, {before("a")}, {before("s")}, {before("s", "a")}, {before("a", "s"), all}}
	for n, shape := range shapes {
		for _, pol := range []v1.RestartPolicy{v1.RestartPolicyAlways, v1.RestartPolicyOnFailure, v1.RestartPolicyNever} {
			order := func(more ...func(*v1.Pod)) *v1.Pod {
				return order(append(append(more[:1:1], shape...), more[1:]...)...)
			}
			for seed := range uint64(200) {
				r := rand.New(rand.NewPCG(seed, 1))
				m := &model{in: Input{Order: order(policy(pol)), Network: true, Synced: true, Now: t0}}
				m.settle(t, nil)
				var trail []string
				for range 10 {
					before := restarts(m.in.Memory.Last)
					trail = append(trail, m.disturb(r))
					m.settle(t, trail)
					now := status.Of(m.in.Memory.Last, "c")
					for name, was := range before {
						if is := restarts(m.in.Memory.Last)[name]; is < was {
							t.Fatalf("%s, seed %d, after %v: restarts of %s went from %d to %d", pol, seed, trail, name, was, is)
						}
					}
					if pol == v1.RestartPolicyAlways && now.State.Running == nil {
						t.Fatalf("seed %d, after %v: not running: %+v", seed, trail, now.State)
					}
					if pol == v1.RestartPolicyNever && now.RestartCount > 0 && n != len(shapes)-1 {
						t.Fatalf("seed %d, after %v: restarted in spite of Never", seed, trail)
					}
					if s := m.sandbox(); s != nil && len(s.Containers) > 2*len(restarts(m.in.Memory.Last)) {
						t.Fatalf("seed %d, after %v: %d containers kept", seed, trail, len(s.Containers))
					}
				}
				m.in.Order = order(policy(pol), deleted(5))
				m.settle(t, append(trail, "deleted"))
				if !m.gone || m.sandbox() != nil {
					t.Fatalf("seed %d: deleted pod is still there", seed)
				}
			}
		}
	}
}

// restarts are the counts of all containers.
func restarts(st v1.PodStatus) map[string]int32 {
	out := map[string]int32{}
	for _, c := range append(slices.Clone(st.InitContainerStatuses), st.ContainerStatuses...) {
		out[c.Name] = c.RestartCount
	}
	return out
}
