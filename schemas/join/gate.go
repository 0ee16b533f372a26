package join

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// GatesNotReady is the reason of a Ready that readiness gates hold back.
const GatesNotReady = "ReadinessGatesNotReady"

// gated holds the condition Ready back while that of a readiness gate, which others set, is
// not true. What it says is the kubelet's.
func gated(gates []corev1.PodReadinessGate, conditions []corev1.PodCondition) []corev1.PodCondition {
	at := slices.IndexFunc(conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
	if len(gates) == 0 || at < 0 {
		return conditions
	}
	ready := conditions[at]
	var why []string
	for _, g := range gates {
		i := slices.IndexFunc(conditions, func(c corev1.PodCondition) bool { return c.Type == g.ConditionType })
		switch {
		case i < 0:
			why = append(why, fmt.Sprintf("corresponding condition of pod readiness gate %q does not exist.", g.ConditionType))
			continue
		case conditions[i].Status != corev1.ConditionTrue:
			why = append(why, fmt.Sprintf("the status of pod readiness gate %q is not \"True\", but %v", g.ConditionType, conditions[i].Status))
		}
		// Ready has changed when the last of what it follows from has.
		if t := conditions[i].LastTransitionTime; ready.LastTransitionTime.Before(&t) {
			ready.LastTransitionTime = t
		}
	}
	if len(why) > 0 {
		ready.Status, ready.Reason, ready.Message = corev1.ConditionFalse, GatesNotReady, strings.Join(why, ", ")
	}
	out := slices.Clone(conditions)
	out[at] = ready
	return out
}
