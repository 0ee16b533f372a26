package registry

import (
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

func TestSpent(t *testing.T) {
	pod := func(ready v1.ConditionStatus) *v1.Pod {
		return &v1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p"}, Status: v1.PodStatus{Conditions: []v1.PodCondition{{Type: v1.PodReady, Status: ready}}}}
	}
	budget := func(generation int64, st policyv1.PodDisruptionBudgetStatus, always bool) *policyv1.PodDisruptionBudget {
		b := &policyv1.PodDisruptionBudget{ObjectMeta: metav1.ObjectMeta{Name: "b", Generation: generation}, Status: st}
		if always {
			b.Spec.UnhealthyPodEvictionPolicy = ptr.To(policyv1.AlwaysAllow)
		}
		return b
	}
	tests := []struct {
		name  string
		b     *policyv1.PodDisruptionBudget
		pod   *v1.Pod
		left  int32 // of the next status; -1: nothing is counted
		cause string
		retry int32
	}{
		{name: "allowed", b: budget(1, policyv1.PodDisruptionBudgetStatus{ObservedGeneration: 1, DisruptionsAllowed: 2}, false), pod: pod("True"), left: 1},
		{name: "not allowed", b: budget(1, policyv1.PodDisruptionBudgetStatus{ObservedGeneration: 1, DesiredHealthy: 2, CurrentHealthy: 2}, false), pod: pod("True"),
			cause: "The disruption budget b needs 2 healthy pods and has 2 currently"},
		{name: "not looked at yet", b: budget(2, policyv1.PodDisruptionBudgetStatus{ObservedGeneration: 1, DisruptionsAllowed: 2}, false), pod: pod("True"),
			cause: "The disruption budget b is still being processed by the server.", retry: 10},
		{name: "unready, others healthy", b: budget(1, policyv1.PodDisruptionBudgetStatus{ObservedGeneration: 1, DesiredHealthy: 2, CurrentHealthy: 2}, false), pod: pod("False"), left: -1},
		{name: "unready, others too", b: budget(1, policyv1.PodDisruptionBudgetStatus{ObservedGeneration: 1, DesiredHealthy: 2, CurrentHealthy: 1}, false), pod: pod("False"),
			cause: "The disruption budget b needs 2 healthy pods and has 1 currently"},
		{name: "unready, always allowed", b: budget(1, policyv1.PodDisruptionBudgetStatus{ObservedGeneration: 1, DesiredHealthy: 2, CurrentHealthy: 1}, true), pod: pod("False"), left: -1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			next, err := spent(tt.b, tt.pod, time.Unix(100, 0))
			if tt.cause != "" {
				st := apierrors.APIStatus(nil)
				if !apierrors.IsTooManyRequests(err) {
					t.Fatalf("%v", err)
				}
				st, _ = err.(apierrors.APIStatus)
				if d := st.Status().Details; len(d.Causes) != 1 || d.Causes[0].Message != tt.cause || d.RetryAfterSeconds != tt.retry {
					t.Errorf("details %+v", d)
				}
				return
			}
			if err != nil || (next == nil) != (tt.left < 0) {
				t.Fatalf("%+v, %v", next, err)
			}
			if next != nil && (next.Status.DisruptionsAllowed != tt.left || next.Status.DisruptedPods["p"].Unix() != 100) {
				t.Errorf("%+v", next.Status)
			}
		})
	}
}
