package pod

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestAvailable(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	tests := map[string]struct {
		status corev1.ConditionStatus
		since  time.Time
		min    int32
		ok     bool
		wait   time.Duration
	}{
		"no condition":        {"", time.Time{}, 0, false, 0},
		"not ready":           {corev1.ConditionFalse, now.Add(-time.Hour), 0, false, 0},
		"ready":               {corev1.ConditionTrue, now, 0, true, 0},
		"not for long enough": {corev1.ConditionTrue, now.Add(-3 * time.Second), 10, false, 7 * time.Second},
		"just long enough":    {corev1.ConditionTrue, now.Add(-10 * time.Second), 10, true, 0},
		"nobody knows":        {corev1.ConditionTrue, time.Time{}, 10, false, 0},
	}
	for name, tt := range tests {
		p := &corev1.Pod{}
		if tt.status != "" {
			p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: tt.status, LastTransitionTime: metav1.NewTime(tt.since)}}
		}
		if ok, wait := Available(p, tt.min, now); ok != tt.ok || wait != tt.wait {
			t.Errorf("%s: %t, %s", name, ok, wait)
		}
	}
}
