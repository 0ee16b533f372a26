package pod

import (
	"fmt"
	"strings"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/services/agent/image"
	"github.com/skerry/skerry/services/agent/sandbox"
	"github.com/skerry/skerry/services/agent/status"
)

var t0 = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

func order(change ...func(*v1.Pod)) *v1.Pod {
	grace := int64(30)
	p := &v1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "default", UID: "u1"},
		Spec: v1.PodSpec{
			RestartPolicy: v1.RestartPolicyAlways, TerminationGracePeriodSeconds: &grace,
			Containers: []v1.Container{{Name: "c", Image: "i:1", ImagePullPolicy: v1.PullIfNotPresent}},
		},
	}
	for _, f := range change {
		f(p)
	}
	return p
}

func policy(p v1.RestartPolicy) func(*v1.Pod) { return func(o *v1.Pod) { o.Spec.RestartPolicy = p } }

func pulls(p v1.PullPolicy) func(*v1.Pod) {
	return func(o *v1.Pod) { o.Spec.Containers[0].ImagePullPolicy = p }
}

func deleted(grace int64) func(*v1.Pod) {
	return func(o *v1.Pod) {
		o.DeletionTimestamp, o.DeletionGracePeriodSeconds = &metav1.Time{Time: t0}, &grace
	}
}

func up(cs ...sandbox.Container) sandbox.Pod {
	return sandbox.Pod{
		ID: "s1", Key: sandbox.Key{Namespace: "default", Name: "web"}, UID: "u1", Grace: 7 * time.Second,
		Infra: sandbox.Container{ID: "infra", State: sandbox.Running}, Containers: cs,
	}
}

func of(uid types.UID, p sandbox.Pod) sandbox.Pod { p.UID, p.ID = uid, "s-"+string(uid); return p }

func infra(s sandbox.State, p sandbox.Pod) sandbox.Pod { p.Infra.State = s; return p }

func c(attempt int, s sandbox.State, exit int) sandbox.Container {
	return sandbox.Container{
		ID: fmt.Sprintf("c%d", attempt), Name: "c", Attempt: attempt, State: s, ExitCode: exit,
		Hash: Hash(&v1.Container{Name: "c", Image: "i:1"}), StartedAt: t0.Add(-time.Minute), FinishedAt: t0.Add(-time.Second),
	}
}

func last(phase v1.PodPhase, restarts int32, st v1.ContainerState) v1.PodStatus {
	return v1.PodStatus{Phase: phase, ContainerStatuses: []v1.ContainerStatus{{
		Name: "c", ContainerID: "podman://old", RestartCount: restarts, State: st,
	}}}
}

var (
	wasRunning = v1.ContainerState{Running: &v1.ContainerStateRunning{}}
	wasDone    = v1.ContainerState{Terminated: &v1.ContainerStateTerminated{ExitCode: 0, FinishedAt: metav1.NewTime(t0.Add(-time.Second))}}
)

func render(p Plan) string {
	var out []string
	for _, s := range p.Steps {
		line := string(s.Verb)
		if s.Sandbox != "" && s.Sandbox != "s1" {
			line += " of " + s.Sandbox
		}
		if s.Verb == StartContainer || s.Verb == PullImage {
			line += fmt.Sprintf(" %s#%d", s.Container, s.Attempt)
		}
		if s.Verb == StopContainers {
			line += fmt.Sprintf(" %s in %s", strings.Join(s.IDs, ","), s.Grace)
		}
		if s.Verb == ResumeContainer || s.Verb == RemoveContainer {
			line += " " + s.IDs[0]
		}
		out = append(out, line)
	}
	if w, ok := p.Waiting["c"]; ok {
		out = append(out, "waiting "+w.Reason)
	}
	if !p.Wake.IsZero() {
		out = append(out, "wake "+p.Wake.Sub(t0).String())
	}
	return strings.Join(out, "; ")
}

func TestMake(t *testing.T) {
	hold := Backoff{Delay: 10 * time.Second, Updated: t0.Add(-5 * time.Second)}
	for _, tc := range []struct {
		name string
		in   Input
		want string
	}{
		// Starting.
		{"new pod", Input{Order: order()}, "create sandbox; start container c#0"},
		{"new pod while the bus has not spoken", Input{Order: order()}, "create sandbox; start container c#0"},
		{"sandbox made, not started", Input{Order: order(), Observed: []sandbox.Pod{infra(sandbox.Created, up())}}, "start sandbox; start container c#0"},
		{"sandbox without containers", Input{Order: order(), Observed: []sandbox.Pod{up()}}, "start container c#0"},
		{"container made, not started", Input{Order: order(), Observed: []sandbox.Pod{up(c(0, sandbox.Created, 0))}}, "resume container c0"},
		{"running", Input{Order: order(), Observed: []sandbox.Pod{up(c(0, sandbox.Running, 0))}}, ""},
		{"paused is left alone", Input{Order: order(), Observed: []sandbox.Pod{up(c(0, sandbox.Paused, 0))}}, ""},
		{"in between: look again", Input{Order: order(), Observed: []sandbox.Pod{up(c(0, sandbox.Unknown, 0))}}, "wake 1s"},
		{"no sandbox could be made", Input{Order: order(), Memory: Memory{Sandbox: Hold{Until: t0.Add(time.Second)}}}, "wake 1s"},
		{"host network needs no network", Input{Order: order(func(p *v1.Pod) { p.Spec.HostNetwork = true })}, "create sandbox; start container c#0"},

		// Ending and restarting.
		{"first end restarts at once", Input{Order: order(), Observed: []sandbox.Pod{up(c(0, sandbox.Exited, 1))}}, "start container c#1"},
		{"clean end restarts too", Input{Order: order(), Observed: []sandbox.Pod{up(c(0, sandbox.Exited, 0))}}, "start container c#1"},
		{
			"held back",
			Input{Order: order(), Observed: []sandbox.Pod{up(c(1, sandbox.Exited, 1))}, Memory: Memory{Backoff: map[string]Backoff{"c": hold}}},
			"waiting CrashLoopBackOff; wake 9s",
		},
		{
			"back-off is over",
			Input{Order: order(), Observed: []sandbox.Pod{up(c(1, sandbox.Exited, 1))}, Memory: Memory{Backoff: map[string]Backoff{"c": {Delay: time.Second, Updated: t0.Add(-9 * time.Second)}}}},
			"start container c#2",
		},
		{
			"healthy long enough: no back-off",
			Input{Order: order(), Observed: []sandbox.Pod{up(c(4, sandbox.Exited, 1))}, Memory: Memory{Backoff: map[string]Backoff{"c": {Delay: maxDelay, Updated: t0.Add(-11 * time.Minute)}}}},
			"start container c#5",
		},
		{"OnFailure, failed", Input{Order: order(policy(v1.RestartPolicyOnFailure)), Observed: []sandbox.Pod{up(c(0, sandbox.Exited, 2))}}, "start container c#1"},
		{"OnFailure, done", Input{Order: order(policy(v1.RestartPolicyOnFailure)), Observed: []sandbox.Pod{up(c(0, sandbox.Exited, 0))}}, ""},
		{"Never", Input{Order: order(policy(v1.RestartPolicyNever)), Observed: []sandbox.Pod{up(c(0, sandbox.Exited, 2))}}, ""},
		{
			"could not be started",
			Input{Order: order(), Observed: []sandbox.Pod{up(c(0, sandbox.Created, 0))}, Memory: Memory{Unstarted: map[string]status.Unstarted{"c0": {At: t0}}}},
			"start container c#1",
		},
		{"image changed", Input{Order: order(func(p *v1.Pod) { p.Spec.Containers[0].Image = "i:2" }), Observed: []sandbox.Pod{up(c(0, sandbox.Running, 0))}}, "stop containers c0 in 30s"},
		{
			"image changed and stopped, even with Never",
			Input{Order: order(policy(v1.RestartPolicyNever), func(p *v1.Pod) { p.Spec.Containers[0].Image = "i:2" }), Observed: []sandbox.Pod{up(c(0, sandbox.Exited, 0))}},
			"start container c#1",
		},
		{
			"keeps one dead container",
			Input{Order: order(), Observed: []sandbox.Pod{up(c(0, sandbox.Exited, 1), c(1, sandbox.Exited, 1), c(2, sandbox.Running, 0))}},
			"remove container c0",
		},

		// What others did.
		{"container was removed", Input{Order: order(), Observed: []sandbox.Pod{up()}, Memory: Memory{Last: last(v1.PodRunning, 2, wasRunning)}}, "start container c#3"},
		{"newest was removed, the one before is left", Input{Order: order(), Observed: []sandbox.Pod{up(c(1, sandbox.Exited, 1))}, Memory: Memory{Last: last(v1.PodRunning, 2, wasRunning)}}, "start container c#3"},
		{"everything was removed", Input{Order: order(), Memory: Memory{Last: last(v1.PodRunning, 2, wasRunning)}}, "create sandbox; start container c#3"},
		{"removed while it ran, Never", Input{Order: order(policy(v1.RestartPolicyNever)), Memory: Memory{Last: last(v1.PodRunning, 0, wasRunning)}}, ""},
		{"removed after it was done, OnFailure", Input{Order: order(policy(v1.RestartPolicyOnFailure)), Memory: Memory{Last: last(v1.PodRunning, 0, wasDone)}}, ""},
		{"sandbox died", Input{Order: order(), Observed: []sandbox.Pod{infra(sandbox.Exited, up(c(0, sandbox.Running, 0)))}}, "remove sandbox"},
		{"after a reboot", Input{Order: order(), Observed: []sandbox.Pod{infra(sandbox.Exited, up(c(0, sandbox.Exited, 143)))}}, "remove sandbox"},
		{"sandbox died after all was done", Input{Order: order(policy(v1.RestartPolicyNever)), Observed: []sandbox.Pod{infra(sandbox.Exited, up(c(0, sandbox.Exited, 0)))}}, ""},

		// Ended for good.
		{"terminal frees its sandbox", Input{Order: order(policy(v1.RestartPolicyNever)), Observed: []sandbox.Pod{up(c(0, sandbox.Exited, 0))}, Memory: Memory{Last: last(v1.PodSucceeded, 0, wasDone)}}, "stop sandbox"},
		{"terminal never starts again", Input{Order: order(), Memory: Memory{Last: last(v1.PodFailed, 0, wasDone)}}, ""},

		// Deleting.
		{"deleted", Input{Order: order(deleted(5)), Observed: []sandbox.Pod{up(c(0, sandbox.Running, 0))}}, "stop containers c0 in 5s"},
		{"deleted and stopped", Input{Order: order(deleted(5)), Observed: []sandbox.Pod{up(c(0, sandbox.Exited, 0))}}, "remove sandbox"},
		{"deleted and gone", Input{Order: order(deleted(5))}, "finish"},
		{"deleted before it started", Input{Order: order(deleted(0))}, "finish"},

		// No order.
		{"order gone", Input{Synced: true, Observed: []sandbox.Pod{up(c(0, sandbox.Running, 0))}}, "stop containers c0 in 7s"},
		{"order gone, stopped", Input{Synced: true, Observed: []sandbox.Pod{up(c(0, sandbox.Exited, 0))}}, "remove sandbox"},
		{"order gone, all gone", Input{Synced: true}, "forget"},
		{"no order, but the bus has not spoken", Input{Observed: []sandbox.Pod{up(c(0, sandbox.Running, 0))}}, ""},
		{"nothing known", Input{}, ""},
		{"another pod of that name goes first", Input{Order: order(), Synced: true, Observed: []sandbox.Pod{of("u0", up(c(0, sandbox.Running, 0)))}}, "stop containers of s-u0 c0 in 7s"},
		{"both pods of that name", Input{Order: order(), Synced: true, Observed: []sandbox.Pod{of("u0", up()), up(c(0, sandbox.Running, 0))}}, "remove sandbox of s-u0"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.in.Now, tc.in.Network = t0, true
			if got := render(Make(tc.in)); got != tc.want {
				t.Errorf("plan: %s\nwant: %s", got, tc.want)
			}
		})
	}
}

func TestMakeWaitsForTheNetwork(t *testing.T) {
	got := render(Make(Input{Order: order(), Now: t0}))
	if got != "wake 5s" {
		t.Errorf("plan: %s", got)
	}
}

func TestMakeImages(t *testing.T) {
	for _, tc := range []struct {
		name  string
		order *v1.Pod
		state image.State
		want  string
	}{
		{"Always pulls first", order(pulls(v1.PullAlways)), image.State{}, "pull image c#0"},
		{"Always, pulled", order(pulls(v1.PullAlways)), image.State{Phase: image.Present}, "create sandbox; start container c#0"},
		{"Always of a local image", order(pulls(v1.PullAlways), func(p *v1.Pod) { p.Spec.Containers[0].Image = "localhost/i" }), image.State{}, "create sandbox; start container c#0"},
		{"IfNotPresent tries", order(), image.State{}, "create sandbox; start container c#0"},
		{"IfNotPresent, missing", order(), image.State{Phase: image.Missing, Until: t0.Add(time.Hour)}, "pull image c#0"},
		{"pulling", order(), image.State{Phase: image.Pulling}, ""},
		{"failed just now", order(), image.State{Phase: image.Failed, Since: t0.Add(-time.Second), Until: t0.Add(9 * time.Second)}, "waiting ErrImagePull; wake 1s"},
		{"failed a while ago", order(), image.State{Phase: image.Failed, Since: t0.Add(-5 * time.Second), Until: t0.Add(5 * time.Second)}, "waiting ImagePullBackOff; wake 5s"},
		{"try again", order(), image.State{Phase: image.Failed, Since: t0.Add(-15 * time.Second), Until: t0}, "pull image c#0"},
		{"Never, missing", order(pulls(v1.PullNever)), image.State{Phase: image.Missing, Until: t0.Add(5 * time.Second)}, "waiting ErrImageNeverPull; wake 5s"},
		{"Never, look again", order(pulls(v1.PullNever)), image.State{Phase: image.Missing, Until: t0}, "create sandbox; start container c#0"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in := Input{Order: tc.order, Network: true, Now: t0, Images: map[string]image.State{"c": tc.state}}
			if got := render(Make(in)); got != tc.want {
				t.Errorf("plan: %s\nwant: %s", got, tc.want)
			}
		})
	}
}

func TestBackoff(t *testing.T) {
	var b Backoff
	var delays []time.Duration
	now := t0
	for range 8 {
		b = b.Next(now)
		delays = append(delays, b.Delay)
		now = b.Until(now)
	}
	want := "[10s 20s 40s 1m20s 2m40s 5m0s 5m0s 5m0s]"
	if got := fmt.Sprint(delays); got != want {
		t.Errorf("delays %s, want %s", got, want)
	}
	if b = b.Next(now.Add(11 * time.Minute)); b.Delay != firstDelay {
		t.Errorf("after health: %s", b.Delay)
	}
}
