package pod

import (
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/services/agent/sandbox"
)

// Eviction is why the node ends a pod that its order still wants.
type Eviction struct {
	// UID is of the pod that is meant; "" for whichever has the name.
	UID             types.UID
	Reason, Message string // of the pod's status: such as Evicted, DeadlineExceeded
	// Grace is how long its containers have; nil is the pod's own.
	Grace *time.Duration
	// Condition is reported with the pod's others, such as DisruptionTarget; nil is none.
	Condition *v1.PodCondition
}

// end stops a sandbox's containers, and removes it once none runs.
func (p *planner) end(s *sandbox.Pod, grace time.Duration, why string) {
	if ids := alive(s.Containers); len(ids) > 0 {
		p.do(Step{Verb: StopContainers, Sandbox: s.ID, IDs: ids, Grace: grace, Why: why})
		return
	}
	p.do(Step{Verb: RemoveSandbox, Sandbox: s.ID, Why: why})
}

func (p *planner) delete(s *sandbox.Pod) {
	if s == nil {
		p.do(Step{Verb: Finish})
		return
	}
	grace := GraceOf(p.Order)
	if d := p.Order.DeletionGracePeriodSeconds; d != nil {
		grace = time.Duration(*d) * time.Second
	}
	p.end(s, grace, "")
}

// settle frees what a pod that has ended for good still holds. Its containers stay for their logs.
func (p *planner) settle(s *sandbox.Pod) {
	if s == nil {
		return
	}
	if len(alive(s.Containers)) > 0 {
		p.halt(s, GraceOf(p.Order))
		return
	}
	if s.Infra.State == sandbox.Running {
		p.do(Step{Verb: StopSandbox, Sandbox: s.ID, Why: "pod has ended"})
		return
	}
	if p.Shed {
		p.do(Step{Verb: RemoveSandbox, Sandbox: s.ID})
		return
	}
	p.collect(s)
}

// doomed tells whether the pod must fail: it was evicted, or its deadline has passed.
// Once it has been reported as the status's reason, that outlives the agent.
func (p *planner) doomed() bool {
	if p.Memory.Evicted != nil || p.Memory.Last.Reason != "" {
		return true
	}
	if p.Rejected != nil && len(p.Observed) == 0 && p.Memory.Last.StartTime == nil {
		p.plan.Evict = p.Rejected
		return true
	}
	if at, ok := p.deadline(); ok {
		if p.Now.Before(at) {
			p.wake(at)
			return false
		}
		p.plan.Evict = &Eviction{UID: p.Order.UID, Reason: "DeadlineExceeded", Message: deadlineMessage}
		return true
	}
	return false
}

const deadlineMessage = "Pod was active on the node longer than the specified deadline"

// deadline is when the pod's activeDeadlineSeconds end: they begin when it is first seen here.
func (p *planner) deadline() (time.Time, bool) {
	d, from := p.Order.Spec.ActiveDeadlineSeconds, p.Now
	if d == nil {
		return time.Time{}, false
	}
	if first := p.Memory.Last.StartTime; first != nil {
		from = first.Time
	}
	return from.Add(time.Duration(*d) * time.Second), true
}

// fail ends all containers of a pod that must fail.
func (p *planner) fail(s *sandbox.Pod) {
	grace := GraceOf(p.Order)
	if e := p.Memory.Evicted; e != nil && e.Grace != nil {
		grace = *e.Grace
	}
	p.halt(s, grace)
}

// ended stops what outlives the main containers: sidecars, and ephemeral ones.
func (p *planner) ended(s *sandbox.Pod) { p.halt(s, GraceOf(p.Order)) }

// halt stops what still runs, and keeps what has ended for its logs.
func (p *planner) halt(s *sandbox.Pod, grace time.Duration) {
	if s == nil {
		return
	}
	if ids := alive(s.Containers); len(ids) > 0 {
		p.do(Step{Verb: StopContainers, Sandbox: s.ID, IDs: ids, Grace: grace})
	}
	p.collect(s)
}

func alive(cs []sandbox.Container) []string {
	var ids []string
	for _, c := range cs {
		if c.State == sandbox.Running || c.State == sandbox.Paused || c.State == sandbox.Unknown {
			ids = append(ids, c.ID)
		}
	}
	return ids
}

func terminal(p v1.PodPhase) bool { return p == v1.PodSucceeded || p == v1.PodFailed }

// GraceOf is how long a pod's containers have to end.
func GraceOf(p *v1.Pod) time.Duration {
	if g := p.Spec.TerminationGracePeriodSeconds; g != nil {
		return time.Duration(*g) * time.Second
	}
	return 30 * time.Second
}
