package pod

import (
	"cmp"
	"slices"
	"time"

	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/services/agent/image"
	"github.com/skerry/skerry/services/agent/member"
	"github.com/skerry/skerry/services/agent/sandbox"
	"github.com/skerry/skerry/services/agent/status"
)

// Input is everything that the next steps for one pod follow from.
type Input struct {
	// Order is the work order, nil if there is none.
	Order *v1.Pod
	// Synced is true once the bus has listed the work orders: only then does the lack of one mean anything.
	Synced bool
	// Observed are the sandboxes with the pod's name: one per uid.
	Observed []sandbox.Pod
	// Blind is true if Observed is empty because nobody looked: the pod is new.
	Blind  bool
	Memory Memory
	// Wait is how long nothing is planned or said: the node cannot tell yet whether it takes the pod.
	Wait time.Duration
	// Images tells how far the image of each container's next start is.
	Images map[string]image.State
	// Health is what hooks and probes say of the containers that run, by id.
	Health map[string]Health
	// Rejected is why this host does not take the pod, nil if it does.
	Rejected *Eviction
	// Shed is true if what has ended for good is to be removed: the node lacks disk.
	Shed bool
	// Network is true once pods can be attached to it.
	Network bool
	Now     time.Time
}

// Memory is what the agent knows of a pod beyond what the runtime shows. All of it
// but Last may be lost.
type Memory struct {
	// Last is the status as last reported.
	Last v1.PodStatus
	// Backoff holds back restarts, Failures retries, by container.
	Backoff  map[string]Backoff
	Failures map[string]Failure
	// Sandbox is set when the sandbox could not be made.
	Sandbox Hold
	// Unstarted are containers, by id, that were made but could not be started.
	Unstarted map[string]status.Unstarted
	// Evicted is why the pod must fail, nil if it need not. That it must is also in Last.
	Evicted *Eviction
	// Killed are containers, by id, that were stopped for a reason that starts them again.
	Killed map[string]bool
}

// Verb is what a step does.
type Verb string

const (
	RemoveSandbox   Verb = "remove sandbox"
	StopSandbox     Verb = "stop sandbox"
	CreateSandbox   Verb = "create sandbox"
	StartSandbox    Verb = "start sandbox"
	StopContainers  Verb = "stop containers" // takes as long as the grace
	StartContainer  Verb = "start container"
	ResumeContainer Verb = "resume container" // made, not started yet
	RemoveContainer Verb = "remove container"
	RunHook         Verb = "run postStart hook"
	PullImage       Verb = "pull image"
	// Finish reports the end and asks the apiserver to remove the pod.
	Finish Verb = "finish"
	// Forget drops what is kept about a pod that nobody wants and that is gone.
	Forget Verb = "forget"
)

// Step is one thing to do.
type Step struct {
	Verb      Verb
	Sandbox   string   // id
	IDs       []string // of containers
	Container string   // of the pod's spec
	Attempt   int
	Grace     time.Duration
	Why       string
	// Restart: what is stopped is to start again, however it ends.
	Restart bool
}

// starts tells whether the step brings a container to life.
func (s Step) starts() bool { return s.Verb == StartContainer || s.Verb == ResumeContainer }

// Plan is what to do now, what hinders each container, and when to look again.
type Plan struct {
	Steps   []Step
	Waiting map[string]v1.ContainerStateWaiting
	Wake    time.Time // zero: when something changes
	// Evict is why the pod must fail from now on, nil if nothing new.
	Evict *Eviction
	// RestartAll: every container is being restarted.
	RestartAll bool
}

// Make plans the next steps for one pod. It is pure, and planning again after the
// steps were done comes to nothing.
func Make(in Input) Plan {
	p := &planner{Input: in, plan: Plan{Waiting: map[string]v1.ContainerStateWaiting{}}}
	mine, others := in.split()
	switch {
	case len(others) > 0:
		// The name is another pod's until that one is gone.
		for _, o := range others {
			p.end(o, o.Grace, "pod was replaced or is not assigned to this node")
		}
	case in.Order == nil:
		if in.Synced {
			p.do(Step{Verb: Forget})
		}
	case in.Order.DeletionTimestamp != nil:
		p.delete(mine)
	case terminal(in.Memory.Last.Phase):
		p.settle(mine)
	case p.doomed():
		p.fail(mine)
	default:
		p.run(mine)
	}
	return p.plan
}

type planner struct {
	Input
	plan Plan
}

func (p *planner) do(s Step) { p.plan.Steps = append(p.plan.Steps, s) }

func (p *planner) wake(t time.Time) {
	if p.plan.Wake.IsZero() || t.Before(p.plan.Wake) {
		p.plan.Wake = t
	}
}

func (p *planner) wait(container, reason, message string) {
	p.plan.Waiting[container] = v1.ContainerStateWaiting{Reason: reason, Message: message}
}

// split finds the order's sandbox, and those to remove. Before the bus has spoken
// none is removed.
func (in Input) split() (mine *sandbox.Pod, others []*sandbox.Pod) {
	for i := range in.Observed {
		o := &in.Observed[i]
		switch {
		case in.Order != nil && o.UID == in.Order.UID && (mine == nil || mine.Infra.State != sandbox.Running):
			if mine != nil {
				others = append(others, mine)
			}
			mine = o
		case in.Synced, in.Order != nil && o.UID == in.Order.UID:
			others = append(others, o)
		}
	}
	return mine, others
}

// run keeps the containers running that should be.
func (p *planner) run(s *sandbox.Pod) {
	if p.restartAll(s) {
		return
	}
	lost := s != nil && (s.Infra.State == sandbox.Exited || s.Infra.ID == "")
	steps, stage := p.initialize(s, lost)
	due := stage == initializing // a container runs or is to run, now or later
	if stage == initialized || s == nil || lost {
		mains, wanted := p.mains(s, lost)
		due = wanted && stage != initFailed
		if stage == initialized {
			steps = append(steps, mains...)
		}
	}
	switch {
	case lost && due:
		p.do(Step{Verb: RemoveSandbox, Sandbox: s.ID, Why: "the pod's sandbox has ended"})
		return
	case !due:
		clear(p.plan.Waiting) // a sidecar that ended with the others does not come again
		p.ended(s)
		return
	case s == nil && !p.sandboxReady(steps):
		steps = slices.DeleteFunc(steps, func(s Step) bool { return s.Verb != PullImage })
	case s == nil:
		p.do(Step{Verb: CreateSandbox})
	case s.Infra.State == sandbox.Created:
		p.do(Step{Verb: StartSandbox, Sandbox: s.ID})
	}
	p.plan.Steps = append(p.plan.Steps, steps...)
	if s != nil {
		p.ephemerals(s)
		p.collect(s)
	}
}

// mains plans the main containers. due tells whether one runs or is still to run.
func (p *planner) mains(s *sandbox.Pod, lost bool) (steps []Step, due bool) {
	held := false // by a postStart hook of one before it: the kubelet starts one after the other
	for _, c := range member.All(p.Order) {
		if c.Sort != member.Main {
			continue
		}
		step, wanted := p.container(c, s, lost)
		due = due || wanted
		if step != nil && !(held && step.starts()) {
			steps = append(steps, *step)
		}
		held = held || p.hooking(c, s, step)
	}
	return steps, due
}

// sandboxReady tells whether a sandbox can and should be made now for steps.
func (p *planner) sandboxReady(steps []Step) bool {
	starts := slices.ContainsFunc(steps, func(s Step) bool { return s.Verb == StartContainer })
	if !starts {
		return false
	}
	if !p.Network && !p.Order.Spec.HostNetwork {
		p.wake(p.Now.Add(5 * time.Second))
		return false
	}
	if p.Now.Before(p.Memory.Sandbox.Until) {
		p.wake(p.Memory.Sandbox.Until)
		return false
	}
	return true
}

// collect removes dead containers but the newest of each name, which stays for
// its logs beside the one that runs.
func (p *planner) collect(s *sandbox.Pod) {
	dead := map[string][]sandbox.Container{}
	for _, c := range s.Containers {
		_, unstarted := p.Memory.Unstarted[c.ID]
		passed := c.State == sandbox.Created && (unstarted || c.ID != s.Newest(c.Name).ID)
		if c.State == sandbox.Exited || passed {
			dead[c.Name] = append(dead[c.Name], c)
		}
	}
	for _, c := range member.All(p.Order) {
		cs := dead[c.Name]
		if len(cs) < 2 {
			continue
		}
		slices.SortFunc(cs, func(a, b sandbox.Container) int { return cmp.Compare(b.Attempt, a.Attempt) })
		for _, old := range cs[1:] {
			p.do(Step{Verb: RemoveContainer, IDs: []string{old.ID}, Container: c.Name})
		}
	}
}
