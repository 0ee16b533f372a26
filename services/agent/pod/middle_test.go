//go:build linux

package pod_test

import (
	"strings"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/services/agent/pod"
	"github.com/skerry/skerry/services/agent/podman/podmantest"
)

// The agent ends in the middle of things, and another one takes over.

func sh(line string) *v1.ExecAction { return &v1.ExecAction{Command: []string{"/bin/sh", "-c", line}} }

// id is the container called name, as Podman knows it.
func id(st *v1.PodStatus, name string) string {
	for _, c := range append(st.InitContainerStatuses, st.ContainerStatuses...) {
		if c.Name == name {
			return strings.TrimPrefix(c.ContainerID, "podman://")
		}
	}
	return ""
}

func TestAgentEndsBeforePostStartHasReturned(t *testing.T) {
	g := newRig(t)
	p := web("hooked", forever, func(p *v1.Pod) {
		p.Spec.Containers[0].Lifecycle = &v1.Lifecycle{PostStart: &v1.LifecycleHandler{Exec: sh("echo x >> /tmp/hooks; until [ -e /go ]; do sleep 0.05; done")}}
	})
	g.order(p)
	st := g.await(pod.KeyOf(p), "made", func(st *v1.PodStatus) bool {
		return st != nil && st.ContainerStatuses[0].ContainerID != "" && st.ContainerStatuses[0].State.Waiting != nil
	})
	c := id(st, "c")
	until(t, "the hook runs", func() bool { return g.inside(c, "cat /tmp/hooks") == "x\n" })
	g.stop()
	g.inside(c, ": > /go")
	g.start()
	st = g.running(pod.KeyOf(p), 0)
	if got := g.inside(c, "cat /tmp/hooks"); got != "x\nx\n" || st.ContainerStatuses[0].RestartCount != 0 {
		t.Errorf("hooks ran: %q, status %+v", got, st)
	}
	// Once it was reported as running, the hook is done for good.
	g.stop()
	g.start()
	g.order(p)
	g.running(pod.KeyOf(p), 0)
	if got := g.inside(c, "cat /tmp/hooks"); got != "x\nx\n" {
		t.Errorf("hooks ran again: %q", got)
	}
}

func TestAgentEndsBetweenInitContainers(t *testing.T) {
	g := newRig(t)
	p := web("inits", forever, func(p *v1.Pod) {
		for name, line := range map[string]string{"a": "exit 0", "b": "until [ -e /go ]; do sleep 0.05; done"} {
			c := v1.Container{Name: name, Image: podmantest.Image, ImagePullPolicy: v1.PullIfNotPresent, Command: []string{"/bin/sh", "-c", line}}
			p.Spec.InitContainers = append(p.Spec.InitContainers, c)
		}
		if p.Spec.InitContainers[0].Name == "b" {
			p.Spec.InitContainers[0], p.Spec.InitContainers[1] = p.Spec.InitContainers[1], p.Spec.InitContainers[0]
		}
	})
	g.order(p)
	second := func(st *v1.PodStatus) bool {
		return st != nil && len(st.InitContainerStatuses) == 2 && st.InitContainerStatuses[1].State.Running != nil
	}
	before := g.await(pod.KeyOf(p), "the second runs", second)
	g.stop()
	g.start()
	g.inside(id(before, "b"), ": > /go")
	st := g.running(pod.KeyOf(p), 0)
	for i, c := range st.InitContainerStatuses {
		if c.RestartCount != 0 || c.ContainerID != before.InitContainerStatuses[i].ContainerID || !c.Ready {
			t.Errorf("%+v", c)
		}
	}
}

func TestAgentEndsInTheMiddleOfAPreStopHook(t *testing.T) {
	g := newRig(t)
	p := web("stops", "trap 'echo term > /tmp/term; exit 0' TERM; while :; do sleep 0.05; done", func(p *v1.Pod) {
		p.Spec.Containers[0].Lifecycle = &v1.Lifecycle{PreStop: &v1.LifecycleHandler{Exec: sh("echo x >> /tmp/hooks; until [ -e /go ]; do sleep 0.05; done")}}
	})
	g.order(p)
	c := id(g.running(pod.KeyOf(p), 0), "c")
	g.order(deleteIn(p, 30))
	until(t, "the hook runs", func() bool { return g.inside(c, "cat /tmp/hooks") == "x\n" })
	g.stop()
	g.start()
	until(t, "the hook runs again", func() bool { return g.inside(c, "cat /tmp/hooks") == "x\nx\n" })
	if strings.TrimSpace(g.host.Podman(t, "inspect", "--format={{.State.Status}}", c)) != "running" {
		t.Error("it was stopped before its hook was done")
	}
	g.inside(c, ": > /go")
	g.await(pod.KeyOf(p), "gone", func(st *v1.PodStatus) bool { return st == nil })
}

func deleteIn(p *v1.Pod, seconds int64) *v1.Pod {
	d := p.DeepCopy()
	d.DeletionTimestamp, d.DeletionGracePeriodSeconds = &metav1.Time{Time: time.Now()}, &seconds
	return d
}

// TestAShorterGraceOvertakes: neither a hook nor a container that ends slowly holds it up.
func TestAShorterGraceOvertakes(t *testing.T) {
	g := newRig(t)
	deaf := "trap '' TERM; echo started; while :; do sleep 0.05; done"
	hooked := web("hooked", deaf, func(p *v1.Pod) {
		p.Spec.Containers[0].Lifecycle = &v1.Lifecycle{PreStop: &v1.LifecycleHandler{Exec: sh(": > /tmp/hooked; sleep 1000")}}
	})
	slow := web("slow", deaf)
	for _, p := range []*v1.Pod{hooked, slow} {
		g.order(p)
	}
	c := id(g.running(pod.KeyOf(hooked), 0), "c")
	g.running(pod.KeyOf(slow), 0)
	for _, p := range []*v1.Pod{hooked, slow} {
		g.order(deleteIn(p, 1000))
	}
	until(t, "the hook runs", func() bool { return g.inside(c, "ls /tmp/hooked") == "/tmp/hooked\n" })
	for _, p := range []*v1.Pod{hooked, slow} {
		g.order(deleteIn(p, 1))
	}
	for _, p := range []*v1.Pod{hooked, slow} {
		g.await(pod.KeyOf(p), "gone", func(st *v1.PodStatus) bool { return st == nil })
	}
}

func TestARestartedAgentMakesNoPodUnready(t *testing.T) {
	g := newRig(t)
	p := web("probed", forever, func(p *v1.Pod) {
		probe := &v1.Probe{ProbeHandler: v1.ProbeHandler{Exec: sh("[ -e /tmp/ok ]")}, PeriodSeconds: 1, TimeoutSeconds: 5, SuccessThreshold: 1, FailureThreshold: 1}
		p.Spec.Containers[0].StartupProbe, p.Spec.Containers[0].ReadinessProbe = probe.DeepCopy(), probe.DeepCopy()
		p.Spec.Containers[0].StartupProbe.FailureThreshold = 1000
	})
	g.order(p)
	st := g.running(pod.KeyOf(p), 0)
	if cs := st.ContainerStatuses[0]; cs.Ready || *cs.Started {
		t.Errorf("before its probes passed: %+v", cs)
	}
	ready := func(want bool) func(st *v1.PodStatus) bool {
		return func(st *v1.PodStatus) bool { return st != nil && st.ContainerStatuses[0].Ready == want }
	}
	c := id(st, "c")
	g.inside(c, ": > /tmp/ok")
	g.await(pod.KeyOf(p), "ready", ready(true))
	g.stop()
	g.mu.Lock()
	posts := g.posts
	g.mu.Unlock()
	g.start()
	g.order(p)
	g.await(pod.KeyOf(p), "taken over", ready(true))
	g.inside(c, "rm /tmp/ok")
	g.await(pod.KeyOf(p), "probed by the new agent", ready(false))
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.posts != posts+1 {
		t.Errorf("%d statuses were posted since, want the one of the probe that failed", g.posts-posts)
	}
}

func TestEviction(t *testing.T) {
	g := newRig(t)
	p := web("evicted", forever)
	g.order(p)
	g.running(pod.KeyOf(p), 0)
	g.r.Evict(pod.KeyOf(p), pod.Eviction{
		UID: p.UID, Reason: "Evicted", Message: "The node was low on resource: memory.",
		Condition: &v1.PodCondition{Type: v1.DisruptionTarget, Status: v1.ConditionTrue, Reason: "TerminationByKubelet"},
	})
	st := g.await(pod.KeyOf(p), "failed", func(st *v1.PodStatus) bool { return st != nil && st.Phase == v1.PodFailed })
	if st.Reason != "Evicted" || st.ContainerStatuses[0].State.Terminated == nil || st.Conditions[len(st.Conditions)-1].Type != v1.DisruptionTarget {
		t.Errorf("%+v", st)
	}
	if !g.said("Warning Evicted: The node was low on resource: memory.") {
		t.Errorf("events: %q", g.events)
	}
	other := web("other", forever)
	g.order(other)
	g.running(pod.KeyOf(other), 0)
	g.r.Evict(pod.KeyOf(other), pod.Eviction{UID: "another", Reason: "Evicted"})
	g.order(deleteIn(other, 1))
	g.await(pod.KeyOf(other), "gone", func(st *v1.PodStatus) bool {
		if st != nil && st.Reason != "" {
			t.Errorf("one of another uid was evicted: %+v", st)
		}
		return st == nil
	})
}

// inside runs a shell line in a container.
func (g *rig) inside(id, line string) string {
	g.t.Helper()
	_, out, err := g.driver.Run(g.t.Context(), id, []string{"/bin/sh", "-c", line}, 1<<10)
	if err != nil {
		g.t.Fatalf("%s: %v", line, err)
	}
	return string(out)
}

// until polls for what gives no notice.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for limit := time.After(30 * time.Second); !ok(); {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("%s: not in time", what)
		}
	}
}
