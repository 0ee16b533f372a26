package disruption

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/skerry/skerry/services/controller/pod"
)

// patience is how long an eviction counts whose pod stays, as in Kubernetes.
const patience = 2 * time.Minute

// plan is b's next status and when to look again (0: when something changes). was is
// what is stored; asked is how many pods their owners want, or why that is not known.
func plan(b *policyv1.PodDisruptionBudget, was *policyv1.PodDisruptionBudgetStatus, pods []*corev1.Pod, asked int32, err error, now time.Time) (policyv1.PodDisruptionBudgetStatus, time.Duration) {
	st := *was.DeepCopy()
	if err != nil {
		// As long as it is not known nobody may be evicted.
		st.DisruptionsAllowed, st.ObservedGeneration = 0, b.Generation
		condition(&st, metav1.ConditionFalse, policyv1.SyncFailedReason, err.Error(), now)
		return st, 0
	}
	expected, desired := wanted(b, int32(len(pods)), asked)
	var again time.Duration
	st.DisruptedPods, again = going(was.DisruptedPods, pods, now)
	healthy := int32(0)
	for _, p := range pods {
		if _, leaving := st.DisruptedPods[p.Name]; !leaving && p.DeletionTimestamp == nil && pod.Ready(p) {
			healthy++
		}
	}
	st.ExpectedPods, st.DesiredHealthy, st.CurrentHealthy, st.ObservedGeneration = expected, desired, healthy, b.Generation
	st.DisruptionsAllowed = max(0, healthy-desired)
	if expected <= 0 {
		st.DisruptionsAllowed = 0
	}
	mark(&st, now)
	return st, again
}

// mark sets the condition that says whether a pod may be disrupted.
func mark(st *policyv1.PodDisruptionBudgetStatus, now time.Time) {
	if st.DisruptionsAllowed > 0 {
		condition(st, metav1.ConditionTrue, policyv1.SufficientPodsReason, "", now)
	} else {
		condition(st, metav1.ConditionFalse, policyv1.InsufficientPodsReason, "", now)
	}
}

func condition(st *policyv1.PodDisruptionBudgetStatus, s metav1.ConditionStatus, reason, message string, now time.Time) {
	apimeta.SetStatusCondition(&st.Conditions, metav1.Condition{
		Type: policyv1.DisruptionAllowedCondition, Status: s, Reason: reason, Message: message,
		ObservedGeneration: st.ObservedGeneration, LastTransitionTime: metav1.NewTime(now.Truncate(time.Second)),
	})
}

// ownersCount tells whether what b allows follows from how many pods their owners want.
func ownersCount(b *policyv1.PodDisruptionBudget) bool {
	s := &b.Spec
	return s.MaxUnavailable != nil || s.MinAvailable != nil && s.MinAvailable.Type == intstr.String
}

// wanted is how many pods there should be, and how many of them healthy.
func wanted(b *policyv1.PodDisruptionBudget, there, asked int32) (expected, desired int32) {
	scaled := func(v *intstr.IntOrString) int32 {
		n, err := intstr.GetScaledValueFromIntOrPercent(v, int(asked), true)
		if err != nil {
			return 0 // refused by validation
		}
		return int32(n)
	}
	switch s := &b.Spec; {
	case s.MaxUnavailable != nil:
		return asked, max(0, asked-scaled(s.MaxUnavailable))
	case s.MinAvailable != nil && s.MinAvailable.Type == intstr.Int:
		return there, s.MinAvailable.IntVal
	case s.MinAvailable != nil:
		return asked, scaled(s.MinAvailable)
	}
	return there, 0
}

// going are the evictions that still count: their pods are there and not yet being
// deleted, and the time for that has not run out.
func going(was map[string]metav1.Time, pods []*corev1.Pod, now time.Time) (out map[string]metav1.Time, again time.Duration) {
	for _, p := range pods {
		at, ok := was[p.Name]
		left := at.Add(patience).Sub(now)
		if !ok || p.DeletionTimestamp != nil || left <= 0 {
			continue
		}
		if out == nil {
			out = map[string]metav1.Time{}
		}
		out[p.Name] = at
		if again == 0 || left < again {
			again = left
		}
	}
	return out, again
}
