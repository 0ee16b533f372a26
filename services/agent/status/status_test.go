package status

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/services/agent/sandbox"
)

var t0 = time.Unix(1e9, 0)

func run(name string, attempt int, s sandbox.State, code int) sandbox.Container {
	return sandbox.Container{ID: name + string(rune('0'+attempt)), Name: name, Attempt: attempt, State: s, ExitCode: code, StartedAt: t0, FinishedAt: t0.Add(time.Second)}
}

func up(cs ...sandbox.Container) *sandbox.Pod {
	return &sandbox.Pod{ID: "s", IP: "10.0.0.2", Infra: sandbox.Container{ID: "i", State: sandbox.Running}, Containers: cs}
}

// line renders what matters of a status.
func line(st v1.PodStatus) string {
	out := []string{string(st.Phase)}
	for _, c := range st.ContainerStatuses {
		s := c.Name
		switch {
		case c.State.Running != nil:
			s += " running"
		case c.State.Waiting != nil:
			s += " waiting " + c.State.Waiting.Reason
		case c.State.Terminated != nil:
			s += " terminated " + c.State.Terminated.Reason
		}
		if c.Ready {
			s += " ready"
		}
		if c.RestartCount > 0 {
			s += " x" + string(rune('0'+c.RestartCount))
		}
		if l := c.LastTerminationState.Terminated; l != nil {
			s += " after " + l.Reason
		}
		out = append(out, s)
	}
	for _, c := range st.Conditions {
		if c.Type == v1.PodReady {
			out = append(out, "Ready="+string(c.Status)+" "+c.Reason)
		}
	}
	return strings.TrimSpace(strings.Join(out, "; "))
}

func TestCompute(t *testing.T) {
	always, never, onFailure := v1.RestartPolicyAlways, v1.RestartPolicyNever, v1.RestartPolicyOnFailure
	crash := map[string]v1.ContainerStateWaiting{"a": {Reason: "CrashLoopBackOff"}}
	ran := v1.PodStatus{Phase: v1.PodRunning, ContainerStatuses: []v1.ContainerStatus{{
		Name: "a", ContainerID: "podman://a0", State: v1.ContainerState{Running: &v1.ContainerStateRunning{}},
	}}}
	oom := run("a", 0, sandbox.Exited, 137)
	oom.OOMKilled = true
	for _, tc := range []struct {
		name    string
		policy  v1.RestartPolicy
		names   string
		sandbox *sandbox.Pod
		in      Input
		want    string
	}{
		{"nothing yet", always, "a", nil, Input{}, "Pending; a waiting ContainerCreating; Ready=False ContainersNotReady"},
		{"running", always, "a", up(run("a", 0, sandbox.Running, 0)), Input{}, "Running; a running ready; Ready=True"},
		{"one of two", always, "ab", up(run("a", 0, sandbox.Running, 0)), Input{}, "Pending; a running ready; b waiting ContainerCreating; Ready=False ContainersNotReady"},
		{"probe fails", always, "a", up(run("a", 0, sandbox.Running, 0)), Input{Health: map[string]Health{"a0": {Started: true}}}, "Running; a running; Ready=False ContainersNotReady"},
		{"pull fails", always, "a", up(), Input{Waiting: map[string]v1.ContainerStateWaiting{"a": {Reason: "ErrImagePull"}}}, "Pending; a waiting ErrImagePull; Ready=False ContainersNotReady"},
		{"crash loop", always, "a", up(run("a", 1, sandbox.Exited, 1)), Input{Waiting: crash}, "Running; a waiting CrashLoopBackOff x1 after Error; Ready=False ContainersNotReady"},
		{"restarted", always, "a", up(run("a", 0, sandbox.Exited, 0), run("a", 1, sandbox.Running, 0)), Input{}, "Running; a running ready x1 after Completed; Ready=True"},
		{"restarted, the dead one removed", always, "a", up(run("a", 1, sandbox.Running, 0)), Input{Last: ran}, "Running; a running ready x1 after ContainerStatusUnknown; Ready=True"},
		{"out of memory", never, "a", up(oom), Input{}, "Failed; a terminated OOMKilled; Ready=False PodFailed"},
		{"succeeded", never, "a", up(run("a", 0, sandbox.Exited, 0)), Input{}, "Succeeded; a terminated Completed; Ready=False PodCompleted"},
		{"failed", never, "ab", up(run("a", 0, sandbox.Exited, 0), run("b", 0, sandbox.Exited, 2)), Input{}, "Failed; a terminated Completed; b terminated Error; Ready=False PodFailed"},
		{"one still runs", never, "ab", up(run("a", 0, sandbox.Exited, 2), run("b", 0, sandbox.Running, 0)), Input{}, "Running; a terminated Error; b running ready; Ready=False ContainersNotReady"},
		{"OnFailure, failed", onFailure, "a", up(run("a", 0, sandbox.Exited, 2)), Input{}, "Running; a terminated Error; Ready=False ContainersNotReady"},
		{"Always, done", always, "a", up(run("a", 0, sandbox.Exited, 0)), Input{}, "Running; a terminated Completed; Ready=False ContainersNotReady"},
		{"could not start", never, "a", up(run("a", 0, sandbox.Created, 0)), Input{Unstarted: map[string]Unstarted{"a0": {Message: "no such file"}}}, "Failed; a terminated StartError; Ready=False PodFailed"},
		{"vanished, Never", never, "a", nil, Input{Last: ran}, "Failed; a terminated ContainerStatusUnknown; Ready=False PodFailed"},
		{"ended stays ended", always, "a", up(run("a", 0, sandbox.Running, 0)), Input{Last: v1.PodStatus{Phase: v1.PodFailed}}, "Failed; a running ready; Ready=False PodFailed"},
		{"deleted, ends well", always, "a", up(run("a", 0, sandbox.Exited, 0)), Input{Pod: &v1.Pod{ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: &metav1.Time{}}}}, "Succeeded; a terminated Completed; Ready=False PodCompleted"},
		{"deleted, still running", always, "a", up(run("a", 0, sandbox.Running, 0)), Input{Pod: &v1.Pod{ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: &metav1.Time{}}}}, "Running; a running ready; Ready=True"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.in.Pod == nil {
				tc.in.Pod = &v1.Pod{}
			}
			tc.in.Pod.Spec.RestartPolicy = tc.policy
			for _, n := range tc.names {
				tc.in.Pod.Spec.Containers = append(tc.in.Pod.Spec.Containers, v1.Container{Name: string(n)})
			}
			tc.in.Sandbox, tc.in.Now = tc.sandbox, t0
			st := Compute(tc.in)
			if got := line(st); got != tc.want {
				t.Errorf("%s\nwant %s", got, tc.want)
			}
			tc.in.Last, tc.in.Now = st, t0.Add(time.Hour)
			again, _ := json.Marshal(Compute(tc.in))
			if first, _ := json.Marshal(st); string(first) != string(again) {
				t.Errorf("it changes with time alone:\n%s\n%s", first, again)
			}
		})
	}
}

func TestQOS(t *testing.T) {
	r := func(cpu, mem string) v1.ResourceList {
		return v1.ResourceList{v1.ResourceCPU: resource.MustParse(cpu), v1.ResourceMemory: resource.MustParse(mem)}
	}
	for _, tc := range []struct {
		r    []v1.ResourceRequirements
		want v1.PodQOSClass
	}{
		{[]v1.ResourceRequirements{{}}, v1.PodQOSBestEffort},
		{[]v1.ResourceRequirements{{Limits: r("1", "1Gi")}}, v1.PodQOSGuaranteed},
		{[]v1.ResourceRequirements{{Limits: r("1", "1Gi"), Requests: r("1", "1Gi")}}, v1.PodQOSGuaranteed},
		{[]v1.ResourceRequirements{{Limits: r("1", "1Gi"), Requests: r("500m", "1Gi")}}, v1.PodQOSBurstable},
		{[]v1.ResourceRequirements{{Limits: r("1", "1Gi")}, {}}, v1.PodQOSBurstable},
		{[]v1.ResourceRequirements{{Requests: r("1", "1Gi")}}, v1.PodQOSBurstable},
	} {
		p := &v1.Pod{}
		for _, c := range tc.r {
			p.Spec.Containers = append(p.Spec.Containers, v1.Container{Resources: c})
		}
		if got := QOS(p); got != tc.want {
			t.Errorf("%v: %s, want %s", tc.r, got, tc.want)
		}
	}
}

// shelf is a bucket that can be away, or lose the answers to its writes.
type shelf struct {
	mu     sync.Mutex
	rev    store.Revision
	values map[bus.Key]store.Entry
	writes int
	away   bool
	mute   bool
	lists  []string
}

func (s *shelf) Apply(_ context.Context, ops ...store.Op) (store.Revision, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away {
		return 0, bus.ErrUnreachable
	}
	for _, op := range ops {
		if e := s.values[op.Key]; e.Revision != op.Revision && !(e.Deleted && op.Revision == 0) {
			return 0, store.ErrConflict
		}
	}
	for _, op := range ops {
		s.rev++
		s.values[op.Key] = store.Entry{Key: op.Key, Value: op.Value, Revision: s.rev, Deleted: op.Value == nil}
	}
	s.writes++
	if s.mute {
		return 0, errors.New("timeout")
	}
	return s.rev, nil
}

func (s *shelf) Each(ctx context.Context, ops ...store.Op) ([]store.Revision, []error) {
	revs, errs := make([]store.Revision, len(ops)), make([]error, len(ops))
	for i, op := range ops {
		revs[i], errs[i] = s.Apply(ctx, op)
	}
	return revs, errs
}

func (s *shelf) List(_ context.Context, filters ...string) ([]store.Entry, store.Revision, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away {
		return nil, 0, bus.ErrUnreachable
	}
	s.lists = append(s.lists, strings.Join(filters, " "))
	var out []store.Entry
	for _, e := range s.values {
		if filters[0] == "x" || slices.Contains(filters, string(e.Key)) {
			out = append(out, e)
		}
	}
	return out, s.rev, nil
}

func TestPoster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{values: map[bus.Key]store.Entry{"old": {Key: "old", Value: []byte("1"), Revision: 1}}, rev: 1, away: true}
		p := NewPoster(s, s, "x", slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		pass := func(d time.Duration) { time.Sleep(d); synctest.Wait() }
		go func() { done <- p.Run(ctx) }()
		post := func(k bus.Key, v any) {
			if err := p.Post(k, v); err != nil {
				t.Error(err)
			}
		}
		never := func() { t.Error("called though all had been written") }
		for i := range 100 { // while it is away, the newest counts
			post("a", i)
			post("old", i)
		}
		pass(time.Minute)
		set := func(away, mute bool) { s.mu.Lock(); s.away, s.mute = away, mute; s.mu.Unlock() }
		set(false, false)
		pass(time.Minute)
		if string(s.values["a"].Value) != "99" || string(s.values["old"].Value) != "99" || s.writes != 2 || !p.Posted("a", never) {
			t.Errorf("%+v after %d writes", s.values, s.writes)
		}
		if !slices.Equal(s.lists, []string{"x"}) {
			t.Errorf("lists while it was away: %q", s.lists)
		}
		set(false, true) // written, but nobody said so
		post("a", 100)
		pass(time.Second)
		set(false, false)
		pass(time.Minute)
		p.Delete("old")
		p.Delete("never there")
		pass(time.Minute)
		if string(s.values["a"].Value) != "100" || !s.values["old"].Deleted || !p.Posted("old", never) || !p.Posted("never there", never) {
			t.Errorf("%+v", s.values)
		}
		// What a write without an answer has done is asked for that key alone, until it can be told.
		if asked := slices.Compact(s.lists[1:]); !slices.Equal(asked, []string{"a"}) {
			t.Errorf("lists after a write without an answer: %q", s.lists)
		}
		post("old", 2) // over its delete marker
		pass(time.Minute)
		if string(s.values["old"].Value) != "2" {
			t.Errorf("%+v", s.values)
		}
		cancel()
		<-done
	})
}

// TestRefused: of a pod that the node did not take there is only the reason, and it stays.
func TestRefused(t *testing.T) {
	p := &v1.Pod{Spec: v1.PodSpec{Containers: []v1.Container{{Name: "c"}}, InitContainers: []v1.Container{{Name: "i"}}}}
	in := Input{Pod: p, Doomed: &Doomed{Reason: "OutOfcpu", Message: "no room"}, Now: t0}
	st := Compute(in)
	if st.Phase != v1.PodFailed || st.Reason != "OutOfcpu" || st.Message != "no room" || len(st.ContainerStatuses)+len(st.InitContainerStatuses)+len(st.Conditions) > 0 || st.StartTime == nil {
		t.Errorf("refused: %+v", st)
	}
	if again := Compute(Input{Pod: p, Last: st, Now: t0.Add(time.Hour)}); !equality.Semantic.DeepEqual(again, st) {
		t.Errorf("later: %+v", again)
	}
	// One that ran and has lost all that was of it is told of as before.
	in.Last = Compute(Input{Pod: p, Sandbox: up(run("c", 0, sandbox.Running, 0)), Now: t0})
	if st := Compute(in); len(st.ContainerStatuses) != 1 || len(st.Conditions) == 0 {
		t.Errorf("ended: %+v", st)
	}
}

// TestPosterWaits: a value that may wait is replaced by what follows, at no more than its
// time; who asks whether it is there hurries it, and is told.
func TestPosterWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{values: map[bus.Key]store.Entry{}}
		p := NewPoster(s, s, "x", slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- p.Run(ctx) }()
		later := func(v any) {
			if err := p.PostWithin("a", v, time.Second); err != nil {
				t.Error(err)
			}
			synctest.Wait()
		}
		later(1)
		time.Sleep(600 * time.Millisecond)
		later(2)
		s.mu.Lock() // no Wait orders this before what the timer wakes
		if s.writes != 0 {
			t.Errorf("%d writes of what may wait", s.writes)
		}
		s.mu.Unlock()
		time.Sleep(401 * time.Millisecond)
		synctest.Wait()
		if s.writes != 1 || string(s.values["a"].Value) != "2" {
			t.Errorf("%d writes when the first one's time is up: %+v", s.writes, s.values)
		}
		later(3)
		told := 0
		if p.Posted("a", func() { told++ }) {
			t.Error("what waits is said to be there")
		}
		synctest.Wait()
		if s.writes != 2 || told != 1 || string(s.values["a"].Value) != "3" {
			t.Errorf("%d writes, told %d times: %+v", s.writes, told, s.values)
		}
		later(4)
		p.Delete("a")
		synctest.Wait()
		if s.writes != 3 || told != 1 || !s.values["a"].Deleted {
			t.Errorf("%d writes, told %d times: %+v", s.writes, told, s.values)
		}
		cancel()
		<-done
	})
}
