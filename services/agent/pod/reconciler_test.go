//go:build linux

package pod_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/schemas/share"
	"github.com/skerry/skerry/services/agent/pod"
	"github.com/skerry/skerry/services/agent/podman"
	"github.com/skerry/skerry/services/agent/podman/podmantest"
	"github.com/skerry/skerry/services/agent/sandbox"
)

func TestPodStartsAndHeals(t *testing.T) {
	g := newRig(t)
	p := web("web", forever)
	k := pod.KeyOf(p)
	g.order(p)
	st := g.running(k, 0)
	if st.Phase != v1.PodRunning || !strings.HasPrefix(st.PodIP, "10.244.9.") || st.HostIP != "192.0.2.1" || st.StartTime == nil || st.QOSClass != v1.PodQOSBestEffort || st.ObservedGeneration != 1 {
		t.Errorf("status = %+v", st)
	}
	for _, c := range st.Conditions {
		if c.Status != v1.ConditionTrue {
			t.Errorf("condition %s is %s", c.Type, c.Status)
		}
	}
	cs := st.ContainerStatuses[0]
	if !cs.Ready || !*cs.Started || !strings.HasPrefix(cs.ContainerID, "podman://") || !strings.HasPrefix(cs.ImageID, "sha256:") || cs.RestartCount != 0 {
		t.Errorf("container = %+v", cs)
	}
	for _, e := range []string{"Normal Pulled: Container image", "Normal Created: ", "Normal Started: Started container c"} {
		if !g.said(e) {
			t.Errorf("no event %q in %q", e, g.events)
		}
	}
	id := func(st *v1.PodStatus) string {
		return strings.TrimPrefix(st.ContainerStatuses[0].ContainerID, "podman://")
	}

	g.host.Podman(t, "kill", "--signal=KILL", id(st))
	st = g.running(k, 1)
	if last := st.ContainerStatuses[0].LastTerminationState.Terminated; last == nil || last.ExitCode != 137 || last.Reason != "Error" {
		t.Errorf("last state = %+v", last)
	}
	// What others removed comes back at once: it did not crash.
	g.host.Podman(t, "rm", "--force", "--time=0", id(st))
	st = g.running(k, 2)
	if last := st.ContainerStatuses[0].LastTerminationState.Terminated; last == nil || last.ExitCode != 137 {
		t.Errorf("last state = %+v", last)
	}
	before := one(t, g)
	g.host.Podman(t, "pod", "rm", "--force", "--time=0", p.Namespace+"_web_"+string(p.UID)[:8])
	st = g.running(k, 3)
	if after := one(t, g); after.ID == before.ID || after.IP != st.PodIP {
		t.Errorf("the sandbox is %+v, it was %+v", after, before)
	}
	before = one(t, g)
	g.host.Podman(t, "kill", "--signal=KILL", before.Infra.ID)
	g.running(k, 4)
	if after := one(t, g); after.ID == before.ID {
		t.Error("the sandbox is still the one that died")
	}
	if !g.said("SandboxChanged") {
		t.Errorf("events: %q", g.events)
	}
}

func one(t *testing.T, g *rig) sandbox.Pod {
	t.Helper()
	ps, err := g.driver.Pods(t.Context())
	if err != nil || len(ps) != 1 {
		t.Fatalf("pods: %+v, %v", ps, err)
	}
	return ps[0]
}

func TestAdoption(t *testing.T) {
	g := newRig(t)
	p := web("web", forever)
	k := pod.KeyOf(p)
	g.order(p)
	before := g.running(k, 0).ContainerStatuses[0].ContainerID
	g.stop()
	for _, remember := range []bool{true, false} {
		if !remember {
			g.statuses = map[sandbox.Key]*v1.Pod{}
		}
		g.start()
		st := g.running(k, 0)
		if st.ContainerStatuses[0].ContainerID != before || st.ContainerStatuses[0].RestartCount != 0 {
			t.Errorf("remembering %v: the container was restarted: %+v", remember, st.ContainerStatuses[0])
		}
		g.stop()
	}
	// What happened while no agent ran.
	g.host.Podman(t, "kill", "--signal=KILL", strings.TrimPrefix(before, "podman://"))
	g.start()
	if st := g.running(k, 1); st.ContainerStatuses[0].LastTerminationState.Terminated.ExitCode != 137 {
		t.Errorf("last state = %+v", st.ContainerStatuses[0].LastTerminationState)
	}
	g.stop()
	// No order, but the bus has not spoken: it stays. Then it goes.
	g.mu.Lock()
	g.unsynced, g.orders = true, map[sandbox.Key]*share.Lean{}
	g.mu.Unlock()
	g.start()
	if after, err := g.r.Reconcile(t.Context(), k); err != nil || after != 0 {
		t.Error(after, err)
	}
	if ps, err := g.driver.Pods(t.Context()); err != nil || len(ps) != 1 || ps[0].Newest("c").State != sandbox.Running {
		t.Fatalf("pods without an order before the bus spoke: %+v, %v", ps, err)
	}
	g.mu.Lock()
	g.unsynced = false
	g.mu.Unlock()
	g.r.Add(k)
	g.await(k, "forgotten", func(st *v1.PodStatus) bool { return st == nil })
	if ps, err := g.driver.Pods(t.Context()); err != nil || len(ps) != 0 {
		t.Errorf("pods without an order: %v, %v", ps, err)
	}
}

func TestDeletion(t *testing.T) {
	g := newRig(t)
	p := web("web", "trap 'echo bye; exit 3' TERM; echo armed; while :; do sleep 0.1; done")
	k := pod.KeyOf(p)
	g.order(p)
	id := strings.TrimPrefix(g.running(k, 0).ContainerStatuses[0].ContainerID, "podman://")
	podmantest.AwaitLog(t, g.driver, id, "armed")
	d := p.DeepCopy()
	grace := int64(20)
	d.DeletionTimestamp, d.DeletionGracePeriodSeconds = &metav1.Time{Time: time.Now()}, &grace
	began := time.Now()
	g.order(d)
	st := g.await(k, "ended", func(st *v1.PodStatus) bool { return st == nil || st.ContainerStatuses[0].State.Terminated != nil })
	if st != nil && st.ContainerStatuses[0].State.Terminated.ExitCode != 3 {
		t.Errorf("status = %+v", st.ContainerStatuses[0].State)
	}
	g.await(k, "forgotten", func(st *v1.PodStatus) bool { return st == nil })
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("a container that ends by itself took %s", took)
	}
	if !slices.Equal(g.removed, []types.UID{p.UID}) || !g.said("Killing: Stopping container c") {
		t.Errorf("removed %v; events %q", g.removed, g.events)
	}
	if ps, err := g.driver.Pods(t.Context()); err != nil || len(ps) != 0 {
		t.Errorf("left: %v, %v", ps, err)
	}
}

// TestRemovalIsAskedForOnce: while the order of a removed pod is still there, looking at the
// pod again does not ask again.
func TestRemovalIsAskedForOnce(t *testing.T) {
	g := newRig(t)
	g.slow = true
	p := web("web", "while :; do sleep 0.1; done")
	k := pod.KeyOf(p)
	g.order(p)
	g.running(k, 0)
	d := p.DeepCopy()
	grace := int64(0)
	d.DeletionTimestamp, d.DeletionGracePeriodSeconds = &metav1.Time{Time: time.Now()}, &grace
	g.order(d)
	g.await(k, "removed", func(*v1.PodStatus) bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		return len(g.removed) > 0
	})
	g.stop()
	for range 3 {
		if _, err := g.r.Reconcile(t.Context(), k); err != nil {
			t.Fatal(err)
		}
	}
	if len(g.removed) != 1 {
		t.Errorf("the removal was asked for %d times", len(g.removed))
	}
}

// TestRemovalFails: it is asked for again until it succeeds, once at a time.
func TestRemovalFails(t *testing.T) {
	g := newRig(t)
	g.refusals = 2
	p := web("web", "exit 0")
	grace := int64(0)
	p.DeletionTimestamp, p.DeletionGracePeriodSeconds = &metav1.Time{Time: time.Now()}, &grace
	g.order(p)
	g.await(pod.KeyOf(p), "forgotten", func(st *v1.PodStatus) bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		return st == nil && g.orders[pod.KeyOf(p)] == nil
	})
	if len(g.removed) != 3 {
		t.Errorf("the removal was asked for %d times", len(g.removed))
	}
}

func TestReplacementByName(t *testing.T) {
	g := newRig(t)
	a, b := web("web", forever), web("web", forever)
	g.order(a)
	first := g.running(pod.KeyOf(a), 0).ContainerStatuses[0].ContainerID
	g.order(b)
	g.await(pod.KeyOf(a), "second", func(st *v1.PodStatus) bool {
		return st != nil && st.ContainerStatuses[0].State.Running != nil && st.ContainerStatuses[0].ContainerID != first
	})
	ps, err := g.driver.Pods(t.Context())
	if err != nil || len(ps) != 1 || ps[0].UID != b.UID {
		t.Errorf("%+v, %v", ps, err)
	}
}

func TestEndings(t *testing.T) {
	g := newRig(t)
	policy := func(r v1.RestartPolicy) func(*v1.Pod) { return func(p *v1.Pod) { p.Spec.RestartPolicy = r } }
	for _, tc := range []struct {
		name   string
		pod    *v1.Pod
		phase  v1.PodPhase
		reason string
		code   int32
	}{
		{"completed", web("done", "exit 0", policy(v1.RestartPolicyNever)), v1.PodSucceeded, "Completed", 0},
		{"failed", web("failed", "exit 4", policy(v1.RestartPolicyNever)), v1.PodFailed, "Error", 4},
		{"on failure, done", web("onfail", "exit 0", policy(v1.RestartPolicyOnFailure)), v1.PodSucceeded, "Completed", 0},
		{"no such command", web("none", "", policy(v1.RestartPolicyNever), func(p *v1.Pod) { p.Spec.Containers[0].Command = []string{"/none"} }), v1.PodFailed, "StartError", 128},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g.order(tc.pod)
			st := g.await(pod.KeyOf(tc.pod), tc.name, func(st *v1.PodStatus) bool { return st != nil && st.Phase == tc.phase })
			end := st.ContainerStatuses[0].State.Terminated
			if end == nil || end.Reason != tc.reason || end.ExitCode != tc.code {
				t.Errorf("state = %+v", st.ContainerStatuses[0].State)
			}
		})
	}
	crash := web("crash", "exit 1")
	g.order(crash)
	st := g.await(pod.KeyOf(crash), "crash loop", func(st *v1.PodStatus) bool {
		return st != nil && st.ContainerStatuses[0].State.Waiting != nil && st.ContainerStatuses[0].State.Waiting.Reason == "CrashLoopBackOff"
	})
	if cs := st.ContainerStatuses[0]; cs.RestartCount != 1 || cs.LastTerminationState.Terminated.ExitCode != 1 || st.Phase != v1.PodRunning {
		t.Errorf("crash loop: %+v", st)
	}
	if !g.said("Warning BackOff: Back-off restarting failed container c in pod crash_default") {
		t.Errorf("events: %q", g.events)
	}
}

func TestImagesThatAreNotThere(t *testing.T) {
	g := newRig(t)
	waiting := func(reason string) func(st *v1.PodStatus) bool {
		return func(st *v1.PodStatus) bool {
			return st != nil && st.ContainerStatuses[0].State.Waiting != nil && st.ContainerStatuses[0].State.Waiting.Reason == reason
		}
	}
	image := func(name string, p v1.PullPolicy) func(*v1.Pod) {
		return func(o *v1.Pod) { o.Spec.Containers[0].Image, o.Spec.Containers[0].ImagePullPolicy = name, p }
	}
	bad := web("bad", "", image("localhost/none:1", v1.PullIfNotPresent))
	never := web("never", "", image("localhost/none:1", v1.PullNever))
	always := web("always", "", image("none:1", v1.PullAlways))
	for _, p := range []*v1.Pod{bad, never, always} {
		g.order(p)
	}
	st := g.await(pod.KeyOf(bad), "ErrImagePull", waiting("ErrImagePull"))
	if !strings.Contains(st.ContainerStatuses[0].State.Waiting.Message, "localhost/") || st.Phase != v1.PodPending {
		t.Errorf("%+v", st)
	}
	g.await(pod.KeyOf(bad), "ImagePullBackOff", waiting("ImagePullBackOff"))
	g.await(pod.KeyOf(never), "ErrImageNeverPull", waiting("ErrImageNeverPull"))
	g.await(pod.KeyOf(always), "ImagePullBackOff", waiting("ImagePullBackOff"))
	for _, e := range []string{`Normal Pulling: Pulling image "none:1"`, "Warning Failed: Failed to pull image", "Warning Failed: Error: ErrImagePull", "Normal BackOff: Back-off pulling image", "Warning ErrImageNeverPull"} {
		if !g.said(e) {
			t.Errorf("no event %q in %q", e, g.events)
		}
	}
}

func TestSettingsReachTheContainer(t *testing.T) {
	g := newRig(t)
	yes := true
	p := web("env", `echo "$GREETING|$WHO|$IP|$PASSWORD|$CPU|$NONE|$0|$(hostname)"; while :; do sleep 1; done`, func(p *v1.Pod) {
		c := &p.Spec.Containers[0]
		p.Spec.Hostname = "anker"
		c.Command = append(c.Command, "$(WHO)$$(x)")
		c.EnvFrom = []v1.EnvFromSource{{ConfigMapRef: &v1.ConfigMapEnvSource{LocalObjectReference: v1.LocalObjectReference{Name: "cm"}}}}
		c.Env = []v1.EnvVar{
			{Name: "GREETING", Value: "$(greeting) moin"},
			{Name: "WHO", ValueFrom: &v1.EnvVarSource{FieldRef: &v1.ObjectFieldSelector{FieldPath: "metadata.name"}}},
			{Name: "IP", ValueFrom: &v1.EnvVarSource{FieldRef: &v1.ObjectFieldSelector{FieldPath: "status.podIP"}}},
			{Name: "PASSWORD", ValueFrom: &v1.EnvVarSource{SecretKeyRef: &v1.SecretKeySelector{Key: "password"}}},
			{Name: "CPU", ValueFrom: &v1.EnvVarSource{ResourceFieldRef: &v1.ResourceFieldSelector{Resource: "limits.cpu", Divisor: resource.MustParse("1m")}}},
			{Name: "NONE", ValueFrom: &v1.EnvVarSource{ConfigMapKeyRef: &v1.ConfigMapKeySelector{LocalObjectReference: v1.LocalObjectReference{Name: "missing"}, Key: "k", Optional: &yes}}},
		}
		c.Resources.Limits = v1.ResourceList{v1.ResourceCPU: resource.MustParse("500m")}
	})
	g.order(p)
	st := g.running(pod.KeyOf(p), 0)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var line strings.Builder
	stop := errors.New("enough")
	err := g.driver.Logs(ctx, strings.TrimPrefix(st.ContainerStatuses[0].ContainerID, "podman://"), podman.LogOptions{Follow: true, Tail: -1}, func(b []byte) error {
		line.Write(b)
		if strings.HasSuffix(line.String(), "\n") {
			return stop
		}
		return nil
	})
	want := "moin moin|env|" + st.PodIP + "|s3cret|500||env$(x)|anker\n"
	if !errors.Is(err, stop) || line.String() != want {
		t.Errorf("the container said %q, want %q (%v)", line.String(), want, err)
	}
	if !g.said("InvalidEnvironmentVariableNames: Keys [not a name=] from the EnvFrom ConfigMap default/cm") {
		t.Errorf("events: %q", g.events)
	}
	broken := web("broken", "", func(p *v1.Pod) {
		p.Spec.Containers[0].EnvFrom = []v1.EnvFromSource{{ConfigMapRef: &v1.ConfigMapEnvSource{LocalObjectReference: v1.LocalObjectReference{Name: "missing"}}}}
	})
	g.order(broken)
	got := g.await(pod.KeyOf(broken), "config error", func(st *v1.PodStatus) bool {
		return st != nil && st.ContainerStatuses[0].State.Waiting != nil && st.ContainerStatuses[0].State.Waiting.Reason == "CreateContainerConfigError"
	})
	if m := got.ContainerStatuses[0].State.Waiting.Message; m != `configmap "missing" not found` {
		t.Errorf("message %q", m)
	}
}
