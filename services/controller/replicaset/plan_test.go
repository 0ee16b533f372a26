package replicaset

import (
	"errors"
	"fmt"
	"regexp"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func newSet(n int32) *appsv1.ReplicaSet {
	rs := &appsv1.ReplicaSet{}
	rs.Name, rs.Namespace, rs.UID, rs.Generation = "web-abc", "default", "rs", 2
	rs.Spec.Replicas = &n
	rs.Spec.Template.Labels = map[string]string{"app": "web"}
	return rs
}

type option func(*corev1.Pod)

func newPodOf(name string, options ...option) *corev1.Pod {
	p := &corev1.Pod{}
	p.Name, p.UID, p.Labels = name, types.UID(name), map[string]string{"app": "web"}
	p.CreationTimestamp = metav1.NewTime(noon.Add(-time.Hour))
	p.Spec.NodeName = "n1"
	p.Status.Phase = corev1.PodRunning
	readyFor(time.Hour)(p)
	for _, o := range options {
		o(p)
	}
	return p
}

func readyFor(d time.Duration) option {
	return func(p *corev1.Pod) {
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(noon.Add(-d))}}
	}
}

func unready(p *corev1.Pod)  { p.Status.Conditions = nil }
func unplaced(p *corev1.Pod) { p.Spec.NodeName = ""; p.Status.Phase = corev1.PodPending; unready(p) }
func pending(p *corev1.Pod)  { p.Status.Phase = corev1.PodPending; unready(p) }
func failed(p *corev1.Pod)   { p.Status.Phase = corev1.PodFailed }
func going(p *corev1.Pod)    { at := metav1.NewTime(noon); p.DeletionTimestamp = &at }
func cheap(p *corev1.Pod)    { p.Annotations = map[string]string{deletionCost: "-5"} }
func on(n string) option     { return func(p *corev1.Pod) { p.Spec.NodeName = n } }
func crashed(n int32) option {
	return func(p *corev1.Pod) { p.Status.ContainerStatuses = []corev1.ContainerStatus{{RestartCount: n}} }
}
func aged(d time.Duration) option {
	return func(p *corev1.Pod) { p.CreationTimestamp = metav1.NewTime(noon.Add(-d)) }
}

func free(string) bool { return false }

func TestPlan(t *testing.T) {
	pods := []*corev1.Pod{newPodOf("a"), newPodOf("b", unready), newPodOf("c")}
	tests := map[string]struct {
		want, have, made, gone int
		deleted                bool
	}{
		"too few":              {want: 4, have: 3, made: 1},
		"enough":               {want: 3, have: 3},
		"too many":             {want: 1, have: 3, gone: 2},
		"very few":             {want: 9000, have: 3, made: burst},
		"too few, but deleted": {want: 4, have: 3, deleted: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			rs := newSet(int32(tt.want))
			if tt.deleted {
				rs.DeletionTimestamp = &metav1.Time{Time: noon}
			}
			p := plan(rs, tt.have, pods, pods, free, 7, noon)
			if len(p.Create) != tt.made || len(p.Delete) != tt.gone || p.Next != 7+tt.made || len(p.names()) != tt.made+tt.gone {
				t.Errorf("created %d, deleted %d, next %d, names %v", len(p.Create), len(p.Delete), p.Next, p.names())
			}
			if tt.gone > 0 && p.Delete[0].Name != "b" {
				t.Errorf("the first victim is %s", p.Delete[0].Name)
			}
		})
	}
}

func TestVictims(t *testing.T) {
	tests := map[string]struct {
		pods []*corev1.Pod
		want string
	}{
		"not placed before pending":  {[]*corev1.Pod{newPodOf("a", pending), newPodOf("b", unplaced)}, "b"},
		"pending before running":     {[]*corev1.Pod{newPodOf("a", unready), newPodOf("b", pending)}, "b"},
		"unready before ready":       {[]*corev1.Pod{newPodOf("a"), newPodOf("b", unready)}, "b"},
		"cheap before dear":          {[]*corev1.Pod{newPodOf("a"), newPodOf("b", cheap)}, "b"},
		"crowded node first":         {[]*corev1.Pod{newPodOf("a", on("n2")), newPodOf("b"), newPodOf("c")}, "b"},
		"shortest ready first":       {[]*corev1.Pod{newPodOf("a"), newPodOf("b", readyFor(time.Minute))}, "b"},
		"about as long ready: by id": {[]*corev1.Pod{newPodOf("b", readyFor(61*time.Minute)), newPodOf("a")}, "a"},
		"most restarts first":        {[]*corev1.Pod{newPodOf("a"), newPodOf("b", crashed(3))}, "b"},
		"newest first":               {[]*corev1.Pod{newPodOf("a", aged(48*time.Hour)), newPodOf("b")}, "b"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for range 2 {
				if got := victims(tt.pods, tt.pods, 1, noon); got[0].Name != tt.want {
					t.Errorf("victim = %s, want %s", got[0].Name, tt.want)
				}
				tt.pods[0], tt.pods[1] = tt.pods[1], tt.pods[0]
			}
		})
	}
}

func TestNames(t *testing.T) {
	rs := newSet(3)
	first, next := names(rs, free, 0, 3)
	again, _ := names(rs, free, 0, 3)
	if fmt.Sprint(first) != fmt.Sprint(again) || next != 3 {
		t.Errorf("names differ: %v, %v", first, again)
	}
	form := regexp.MustCompile(`^web-abc-[bcdfghjklmnpqrstvwxz2456789]{5}$`)
	for _, n := range first {
		if !form.MatchString(n) {
			t.Errorf("name %q", n)
		}
	}
	// Half of a plan got through: the other half has the same names.
	rest, _ := names(rs, func(n string) bool { return n == first[0] || n == first[2] }, 0, 1)
	if rest[0] != first[1] {
		t.Errorf("after a partial success: %v of %v", rest, first)
	}
	// A new leader goes on counting, and looks at those that may be on their way.
	var pods []*corev1.Pod
	for _, n := range first[1:] {
		p := newPodOf(n)
		p.GenerateName = prefix(rs)
		pods = append(pods, p)
	}
	if got := nextOrdinal(rs, pods); got != 0 {
		t.Errorf("next ordinal of 3 = %d", got)
	}
	if got := nextOrdinal(newSet(1), pods); got != 2 {
		t.Errorf("next ordinal of 1 = %d", got)
	}
	seen := map[string]bool{}
	many, _ := names(rs, free, 0, 5000)
	for _, n := range many {
		if seen[n] {
			t.Fatalf("name %s twice", n)
		}
		seen[n] = true
	}
	rs.Name = "a-very-long-name-that-goes-on-and-on-until-it-would-be-too-long-for-a-label"
	if got, _ := names(rs, free, 0, 1); len(got[0]) != 63 {
		t.Errorf("name %q is %d long", got[0], len(got[0]))
	}
}

func TestSlowly(t *testing.T) {
	tests := map[string]struct{ first, items, failAt, calls int }{
		"one by one":          {1, 10, 0, 10},
		"first fails":         {1, 10, 1, 1},
		"third fails":         {1, 10, 3, 9},
		"tenth fails":         {1, 100, 10, 73},
		"all at once":         {100, 100, 0, 100},
		"all at once, a fail": {100, 100, 3, 100},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			calls := 0
			err := slowly(tt.first, make([]int, tt.items), func(items []int) error {
				before := calls
				calls += len(items)
				if before < tt.failAt && tt.failAt <= calls {
					return errors.New("no")
				}
				return nil
			})
			if calls != tt.calls || (err != nil) != (tt.failAt > 0) {
				t.Errorf("%d are asked for, error %v; want %d", calls, err, tt.calls)
			}
		})
	}
}

func TestFailureCondition(t *testing.T) {
	s := withFailure(appsv1.ReplicaSetStatus{}, reasonFailedCreate, errors.New("quota"), noon)
	if len(s.Conditions) != 1 || s.Conditions[0].Reason != reasonFailedCreate {
		t.Fatalf("conditions = %v", s.Conditions)
	}
	if again := withFailure(s, reasonFailedCreate, errors.New("other"), noon.Add(time.Hour)); again.Conditions[0] != s.Conditions[0] {
		t.Error("a repeated failure renews the condition")
	}
	if s = withFailure(s, "", nil, noon); len(s.Conditions) != 0 {
		t.Errorf("conditions = %v", s.Conditions)
	}
}
