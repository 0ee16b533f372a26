package disruption

import (
	"errors"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

var now = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// podsOf makes n pods of which ready are ready.
func podsOf(n, ready int) (out []*corev1.Pod) {
	for i := range n {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("p%d", i)}}
		if i < ready {
			p.Status.Phase = corev1.PodRunning
			p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
		}
		out = append(out, p)
	}
	return out
}

func TestPlan(t *testing.T) {
	min := func(v intstr.IntOrString) policyv1.PodDisruptionBudgetSpec {
		return policyv1.PodDisruptionBudgetSpec{MinAvailable: &v}
	}
	max := func(v intstr.IntOrString) policyv1.PodDisruptionBudgetSpec {
		return policyv1.PodDisruptionBudgetSpec{MaxUnavailable: &v}
	}
	recent, old := metav1.NewTime(now.Add(-time.Minute)), metav1.NewTime(now.Add(-time.Hour))
	tests := []struct {
		name                       string
		spec                       policyv1.PodDisruptionBudgetSpec
		pods                       []*corev1.Pod
		asked                      int32
		err                        error
		going                      map[string]metav1.Time
		allowed, healthy, expected int32
		desired                    int32
		again                      time.Duration
		reason                     string
	}{
		{name: "one may go", spec: min(intstr.FromInt32(2)), pods: podsOf(3, 3), asked: 3, allowed: 1, healthy: 3, expected: 3, desired: 2, reason: "SufficientPods"},
		{name: "none may go", spec: min(intstr.FromInt32(3)), pods: podsOf(3, 3), asked: 3, healthy: 3, expected: 3, desired: 3, reason: "InsufficientPods"},
		{name: "an unready pod counts as gone", spec: max(intstr.FromInt32(1)), pods: podsOf(3, 2), asked: 3, healthy: 2, expected: 3, desired: 2, reason: "InsufficientPods"},
		{name: "a percentage is rounded up", spec: min(intstr.FromString("50%")), pods: podsOf(5, 5), asked: 5, allowed: 2, healthy: 5, expected: 5, desired: 3, reason: "SufficientPods"},
		{name: "of those that are asked for", spec: max(intstr.FromString("50%")), pods: podsOf(1, 1), asked: 4, healthy: 1, expected: 4, desired: 2, reason: "InsufficientPods"},
		{name: "no pods", spec: min(intstr.FromInt32(0)), reason: "InsufficientPods"},
		{name: "one is on its way", spec: min(intstr.FromInt32(1)), pods: podsOf(3, 3), asked: 3, going: map[string]metav1.Time{"p0": recent}, allowed: 1, healthy: 2, expected: 3, desired: 1, again: time.Minute, reason: "SufficientPods"},
		{name: "it never went", spec: min(intstr.FromInt32(1)), pods: podsOf(3, 3), asked: 3, going: map[string]metav1.Time{"p0": old, "gone": recent}, allowed: 2, healthy: 3, expected: 3, desired: 1, reason: "SufficientPods"},
		{name: "not known", spec: max(intstr.FromInt32(1)), pods: podsOf(3, 3), err: errors.New("odd owner"), reason: "SyncFailed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := &policyv1.PodDisruptionBudget{Spec: tt.spec}
			b.Generation = 4
			st, again := plan(b, &policyv1.PodDisruptionBudgetStatus{DisruptedPods: tt.going}, tt.pods, tt.asked, tt.err, now)
			if st.DisruptionsAllowed != tt.allowed || st.CurrentHealthy != tt.healthy || st.ExpectedPods != tt.expected || st.DesiredHealthy != tt.desired || again != tt.again {
				t.Errorf("%+v, again after %s", st, again)
			}
			if st.ObservedGeneration != 4 || len(st.Conditions) != 1 || st.Conditions[0].Reason != tt.reason {
				t.Errorf("conditions %+v, want %s", st.Conditions, tt.reason)
			}
			if twice, _ := plan(b, &st, tt.pods, tt.asked, tt.err, now); fmt.Sprint(twice) != fmt.Sprint(st) {
				t.Errorf("planned again it is %+v, not %+v", twice, st)
			}
		})
	}
}
