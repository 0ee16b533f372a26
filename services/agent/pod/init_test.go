package pod

import (
	"strings"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/services/agent/probe"
	"github.com/skerry/skerry/services/agent/sandbox"
	"github.com/skerry/skerry/services/agent/status"
)

// before adds init containers; those whose name begins with s are sidecars.
func before(names ...string) func(*v1.Pod) {
	return func(p *v1.Pod) {
		for _, n := range names {
			c := v1.Container{Name: n, Image: "i:1", ImagePullPolicy: v1.PullIfNotPresent}
			if strings.HasPrefix(n, "s") {
				c.RestartPolicy = new(v1.ContainerRestartPolicyAlways)
			}
			p.Spec.InitContainers = append(p.Spec.InitContainers, c)
		}
	}
}

// startProbed gives every container a startup probe.
func startProbed(p *v1.Pod) {
	for i := range p.Spec.InitContainers {
		p.Spec.InitContainers[i].StartupProbe = &v1.Probe{}
	}
}

func hooked(p *v1.Pod) {
	p.Spec.Containers[0].Lifecycle = &v1.Lifecycle{PostStart: &v1.LifecycleHandler{}}
}

func second(p *v1.Pod) {
	p.Spec.Containers = append(p.Spec.Containers, v1.Container{Name: "d", Image: "i:1", ImagePullPolicy: v1.PullIfNotPresent})
}

func debugger(p *v1.Pod) {
	p.Spec.EphemeralContainers = []v1.EphemeralContainer{{
		EphemeralContainerCommon: v1.EphemeralContainerCommon{Name: "e", Image: "i:1"}, TargetContainerName: "c",
	}}
}

// named is a run of the container called name.
func named(name string, attempt int, s sandbox.State, exit int) sandbox.Container {
	o := c(attempt, s, exit)
	o.Name = name
	o.ID = name + strings.TrimPrefix(o.ID, "c")
	o.Hash = Hash(&v1.Container{Name: name, Image: "i:1"})
	return o
}

func initLast(name string, restarts int32, code int32) v1.PodStatus {
	return v1.PodStatus{Phase: v1.PodPending, InitContainerStatuses: []v1.ContainerStatus{{
		Name: name, ContainerID: "podman://old", RestartCount: restarts,
		State: v1.ContainerState{Terminated: &v1.ContainerStateTerminated{ExitCode: code, FinishedAt: metav1.NewTime(t0.Add(-time.Second))}},
	}}}
}

func TestMakeInitContainers(t *testing.T) {
	const exited, running = sandbox.Exited, sandbox.Running
	never, onFailure := policy(v1.RestartPolicyNever), policy(v1.RestartPolicyOnFailure)
	for _, tc := range []struct {
		name string
		in   Input
		want string
	}{
		{"the first goes first", Input{Order: order(before("a", "b"))}, "create sandbox; start container a#0"},
		{"one at a time", Input{Order: order(before("a", "b")), Observed: []sandbox.Pod{up(named("a", 0, running, 0))}}, ""},
		{"the next when it is done", Input{Order: order(before("a", "b")), Observed: []sandbox.Pod{up(named("a", 0, exited, 0))}}, "start container b#0"},
		{"the agent ended between two", Input{Order: order(before("a", "b")), Observed: []sandbox.Pod{up(named("a", 0, exited, 0), named("b", 0, sandbox.Created, 0))}}, "resume container b0"},
		{"then the main ones", Input{Order: order(before("a", "b")), Observed: []sandbox.Pod{up(named("a", 0, exited, 0), named("b", 0, exited, 0))}}, "start container c#0"},
		{"one fails: again", Input{Order: order(before("a", "b")), Observed: []sandbox.Pod{up(named("a", 0, exited, 1))}}, "start container a#1"},
		{"one fails, OnFailure: again", Input{Order: order(onFailure, before("a")), Observed: []sandbox.Pod{up(named("a", 0, exited, 1))}}, "start container a#1"},
		{"one fails, Never: the pod has failed", Input{Order: order(never, before("a", "b")), Observed: []sandbox.Pod{up(named("a", 0, exited, 1))}}, ""},
		{
			"one fails, Never: sidecars stop",
			Input{Order: order(never, before("s", "a")), Observed: []sandbox.Pod{up(named("s", 0, running, 0), named("a", 0, exited, 1))}},
			"stop containers s0 in 30s",
		},
		{
			"held back",
			Input{Order: order(before("a")), Observed: []sandbox.Pod{up(named("a", 1, exited, 1))}, Memory: Memory{Backoff: map[string]Backoff{"a": {Delay: 10 * time.Second, Updated: t0}}}},
			"wake 9s",
		},
		{"done ones stay done when others restart", Input{Order: order(before("a")), Observed: []sandbox.Pod{up(named("a", 0, exited, 0), named("c", 0, exited, 1))}}, "start container c#1"},
		{"a done one that was removed, while main ones are there", Input{Order: order(before("a")), Observed: []sandbox.Pod{up(c(0, running, 0))}, Memory: Memory{Last: initLast("a", 0, 0)}}, ""},
		{"a new sandbox runs them again", Input{Order: order(before("a")), Memory: Memory{Last: initLast("a", 0, 0)}}, "create sandbox; start container a#1"},
		{"a new sandbox runs them again, even with Never", Input{Order: order(never, before("a")), Memory: Memory{Last: initLast("a", 2, 0)}}, "create sandbox; start container a#3"},
		{"failed for good and removed", Input{Order: order(never, before("a")), Memory: Memory{Last: initLast("a", 0, 1)}}, ""},
		{"the sandbox died while one ran", Input{Order: order(before("a")), Observed: []sandbox.Pod{infra(exited, up(named("a", 0, running, 0)))}}, "remove sandbox"},
		{"the sandbox died after all was done", Input{Order: order(never, before("a")), Observed: []sandbox.Pod{infra(exited, up(named("a", 0, exited, 0), c(0, exited, 0)))}}, ""},
		{
			"an own policy", Input{Order: order(before("a"), func(p *v1.Pod) {
				p.Spec.InitContainers[0].RestartPolicy = new(v1.ContainerRestartPolicyNever)
			}), Observed: []sandbox.Pod{up(named("a", 0, exited, 1))}}, "",
		},

		// Sidecars.
		{"a sidecar that runs lets the next go", Input{Order: order(before("s", "a")), Observed: []sandbox.Pod{up(named("s", 0, running, 0))}}, "start container a#0"},
		{
			"a sidecar that has not started does not",
			Input{Order: order(before("s", "a"), startProbed), Observed: []sandbox.Pod{up(named("s", 0, running, 0))}, Health: map[string]Health{"s0": {}}},
			"",
		},
		{
			"one that has does",
			Input{Order: order(before("s", "a"), startProbed), Observed: []sandbox.Pod{up(named("s", 0, running, 0))}, Health: map[string]Health{"s0": {Started: true}}},
			"start container a#0",
		},
		{"a sidecar that ended comes again first", Input{Order: order(before("s", "a")), Observed: []sandbox.Pod{up(named("s", 0, exited, 0))}}, "start container s#1"},
		{"also with Never", Input{Order: order(never, before("s")), Observed: []sandbox.Pod{up(named("s", 0, exited, 0), c(0, running, 0))}}, "start container s#1"},
		{"main ones do not wait for it then", Input{Order: order(before("s")), Observed: []sandbox.Pod{up(named("s", 0, exited, 0), c(0, exited, 1))}}, "start container s#1; start container c#1"},
		{"it keeps no pod alive", Input{Order: order(never, before("s")), Observed: []sandbox.Pod{up(named("s", 0, running, 0), c(0, exited, 0))}}, "stop containers s0 in 30s"},
		{"it does not come again then", Input{Order: order(never, before("s")), Observed: []sandbox.Pod{up(named("s", 0, exited, 0), c(0, exited, 0))}}, ""},

		// Hooks.
		{"a hook is due", Input{Order: order(hooked), Observed: []sandbox.Pod{up(c(0, running, 0))}}, "run postStart hook"},
		{"a hook that runs", Input{Order: order(hooked), Observed: []sandbox.Pod{up(c(0, running, 0))}, Health: map[string]Health{"c0": {Hook: HookRunning}}}, ""},
		{"a hook that is done", Input{Order: order(hooked), Observed: []sandbox.Pod{up(c(0, running, 0))}, Health: map[string]Health{"c0": {Hook: HookDone}}}, ""},
		{"a hook that failed", Input{Order: order(hooked), Observed: []sandbox.Pod{up(c(0, running, 0))}, Health: map[string]Health{"c0": {Hook: HookFailed}}}, "stop containers c0 in 30s"},
		{"a hook holds back the next container", Input{Order: order(hooked, second)}, "create sandbox; start container c#0"},
		{"while it runs", Input{Order: order(hooked, second), Observed: []sandbox.Pod{up(c(0, running, 0))}, Health: map[string]Health{"c0": {Hook: HookRunning}}}, ""},
		{"until it is done", Input{Order: order(hooked, second), Observed: []sandbox.Pod{up(c(0, running, 0))}, Health: map[string]Health{"c0": {Hook: HookDone}}}, "start container d#0"},
		{
			"a hook is not run again by the next agent",
			Input{Order: order(hooked), Observed: []sandbox.Pod{up(c(0, running, 0))}, Memory: Memory{Last: reported("c0")}}, "",
		},

		// Probes that end a container.
		{"liveness fails", Input{Order: order(), Observed: []sandbox.Pod{up(c(0, running, 0))}, Health: map[string]Health{"c0": {Failed: probe.Liveness}}}, "stop containers c0 in 30s"},
		{
			"startup fails, with a grace of its own",
			Input{Order: order(func(p *v1.Pod) {
				p.Spec.Containers[0].StartupProbe = &v1.Probe{TerminationGracePeriodSeconds: new(int64(3))}
			}), Observed: []sandbox.Pod{up(c(0, running, 0))}, Health: map[string]Health{"c0": {Failed: probe.Startup}}},
			"stop containers c0 in 3s",
		},
		{
			"it ended well, but was killed",
			Input{Order: order(onFailure), Observed: []sandbox.Pod{up(c(0, exited, 0))}, Memory: Memory{Killed: map[string]bool{"c0": true}}},
			"start container c#1",
		},
		{
			"it was killed, Never",
			Input{Order: order(never), Observed: []sandbox.Pod{up(c(0, exited, 0))}, Memory: Memory{Killed: map[string]bool{"c0": true}}},
			"",
		},

		// Rules that restart all.
		{
			"a rule asks for all: the others stop",
			Input{Order: order(never, before("a", "s"), second, all42), Observed: []sandbox.Pod{up(named("a", 0, exited, 0), named("s", 0, running, 0), c(0, exited, 42), named("d", 0, running, 0))}},
			"stop containers s0,d0 in 30s",
		},
		{
			"then all are removed, the one that asked last",
			Input{Order: order(never, before("a", "s"), second, all42), Observed: []sandbox.Pod{up(named("a", 0, exited, 0), named("s", 0, exited, 143), c(0, exited, 42), named("d", 0, exited, 143))}},
			"remove container a0; remove container s0; remove container d0; remove container c0",
		},
		{
			"then they begin anew",
			Input{Order: order(never, before("a"), all42), Observed: []sandbox.Pod{up()}, Memory: Memory{Last: restartingAll}}, "start container a#1",
		},
		{
			"also those that were killed",
			Input{Order: order(never, before("a"), all42), Observed: []sandbox.Pod{up(named("a", 1, exited, 0))}, Memory: Memory{Last: restartingAll}}, "start container c#1",
		},
		{"another code asks for nothing", Input{Order: order(never, all42), Observed: []sandbox.Pod{up(c(0, exited, 41))}}, ""},

		// Ephemeral containers.
		{"one was added", Input{Order: order(debugger), Observed: []sandbox.Pod{up(c(0, running, 0))}}, "start container e#0"},
		{"its target does not run yet", Input{Order: order(debugger), Observed: []sandbox.Pod{up(c(0, sandbox.Created, 0))}}, "resume container c0"},
		{"it is not started again", Input{Order: order(debugger), Observed: []sandbox.Pod{up(c(0, running, 0), named("e", 0, exited, 1))}}, ""},
		{"it keeps no pod alive", Input{Order: order(never, debugger), Observed: []sandbox.Pod{up(c(0, exited, 0), named("e", 0, running, 0))}}, "stop containers e0 in 30s"},

		// The end.
		{"evicted", Input{Order: order(), Observed: []sandbox.Pod{up(c(0, running, 0))}, Memory: Memory{Evicted: &Eviction{Reason: "Evicted"}}}, "stop containers c0 in 30s"},
		{"evicted, by the agent before", Input{Order: order(), Observed: []sandbox.Pod{up(c(0, running, 0))}, Memory: Memory{Last: v1.PodStatus{Reason: "Evicted"}}}, "stop containers c0 in 30s"},
		{"evicted and stopped", Input{Order: order(), Observed: []sandbox.Pod{up(c(0, exited, 0))}, Memory: Memory{Evicted: &Eviction{Reason: "Evicted"}}}, ""},
		{
			"its deadline is to come",
			Input{Order: order(deadlined), Observed: []sandbox.Pod{up(c(0, running, 0))}, Memory: Memory{Last: v1.PodStatus{StartTime: &metav1.Time{Time: t0.Add(-time.Minute)}}}},
			"wake 40s",
		},
		{
			"its deadline has passed",
			Input{Order: order(deadlined), Observed: []sandbox.Pod{up(c(0, running, 0))}, Memory: Memory{Last: v1.PodStatus{StartTime: &metav1.Time{Time: t0.Add(-2 * time.Minute)}}}},
			"stop containers c0 in 30s; DeadlineExceeded",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.in.Now, tc.in.Network, tc.in.Synced = t0, true, true
			plan := Make(tc.in)
			got := render(plan)
			if plan.Evict != nil {
				got += "; " + plan.Evict.Reason
			}
			if got != tc.want {
				t.Errorf("plan: %s\nwant: %s", got, tc.want)
			}
		})
	}
}

func all42(p *v1.Pod) {
	p.Spec.Containers[0].RestartPolicy = new(v1.ContainerRestartPolicyNever)
	p.Spec.Containers[0].RestartPolicyRules = []v1.ContainerRestartRule{{
		Action:    v1.ContainerRestartRuleActionRestartAllContainers,
		ExitCodes: &v1.ContainerRestartRuleOnExitCodes{Operator: v1.ContainerRestartRuleOnExitCodesOpIn, Values: []int32{42}},
	}}
}

var restartingAll = func() v1.PodStatus {
	st := initLast("a", 0, 137)
	st.ContainerStatuses = last(v1.PodRunning, 0, v1.ContainerState{Terminated: &v1.ContainerStateTerminated{ExitCode: 143}}).ContainerStatuses
	st.Conditions = []v1.PodCondition{{Type: v1.AllContainersRestarting, Status: v1.ConditionTrue}}
	return st
}()

func deadlined(p *v1.Pod) { p.Spec.ActiveDeadlineSeconds = new(int64(100)) }

func reported(id string) v1.PodStatus {
	st := last(v1.PodRunning, 0, wasRunning)
	st.ContainerStatuses[0].ContainerID = status.ID(id)
	return st
}

// TestNothingWaitsInTheEnd: a sidecar that failed before is not held back any more once the pod is over.
func TestNothingWaitsInTheEnd(t *testing.T) {
	in := Input{
		Order:    order(policy(v1.RestartPolicyNever), before("s")),
		Observed: []sandbox.Pod{up(named("s", 1, sandbox.Exited, 1), c(0, sandbox.Exited, 0))},
		Memory:   Memory{Backoff: map[string]Backoff{"s": {Delay: time.Hour, Updated: t0}}},
		Now:      t0, Synced: true,
	}
	if p := Make(in); len(p.Waiting) > 0 || len(p.Steps) > 0 {
		t.Errorf("waiting %v, steps %v", p.Waiting, p.Steps)
	}
	in.Observed[0].Containers[1].State = sandbox.Running
	if p := Make(in); p.Waiting["s"].Reason != "CrashLoopBackOff" {
		t.Errorf("while the pod runs: waiting %v", p.Waiting)
	}
}
