package disruption

import (
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
)

func TestReport(t *testing.T) {
	now := time.Unix(1e9, 0)
	budget := func(s policyv1.PodDisruptionBudgetSpec, evicted ...string) *policyv1.PodDisruptionBudget {
		b := &policyv1.PodDisruptionBudget{Spec: s}
		b.Name, b.Namespace, b.Status.DisruptedPods = "b", "ns", map[string]metav1.Time{}
		for _, p := range evicted {
			b.Status.DisruptedPods[p] = metav1.NewTime(now.Add(-patience))
		}
		return b
	}
	percent := policyv1.PodDisruptionBudgetSpec{MinAvailable: ptr.To(intstr.FromString("50%"))}
	number := policyv1.PodDisruptionBudgetSpec{MinAvailable: ptr.To(intstr.FromInt32(1))}
	most := policyv1.PodDisruptionBudgetSpec{MaxUnavailable: ptr.To(intstr.FromInt32(1))}
	owned, alone := &corev1.Pod{}, &corev1.Pod{}
	owned.Name, alone.Name = "owned", "alone"
	owned.OwnerReferences = []metav1.OwnerReference{{Controller: ptr.To(true)}}
	for name, c := range map[string]struct {
		b    *policyv1.PodDisruptionBudget
		pods []*corev1.Pod
		err  error
		want string
	}{
		"no pods":           {budget(percent), nil, nil, "Normal NoPods No matching pods found\n"},
		"owned":             {budget(percent), []*corev1.Pod{owned}, nil, ""},
		"a number":          {budget(number), []*corev1.Pod{alone}, nil, ""},
		"a share":           {budget(percent), []*corev1.Pod{owned, alone}, nil, "Warning UnmanagedPods Pods selected by this PodDisruptionBudget (selector: nil) were found to be unmanaged."},
		"at most":           {budget(most), []*corev1.Pod{alone}, nil, "Warning UnmanagedPods "},
		"not known":         {budget(most), []*corev1.Pod{alone}, errors.New("x"), "Warning CalculateExpectedPodCountFailed Failed to calculate the number of expected pods: x\n"},
		"evicted, but here": {budget(number, "alone"), []*corev1.Pod{alone}, nil, "Warning NotDeleted Pod was expected by PDB ns/b to be deleted but it wasn't\n"},
		"another's":         {budget(number, "gone"), []*corev1.Pod{alone}, nil, ""},
	} {
		got := ""
		for _, e := range report(c.b, c.pods, c.err, now) {
			got += e.kind + " " + e.reason + " " + e.message + "\n"
		}
		if !strings.HasPrefix(got, c.want) || c.want == "" && got != "" || strings.Count(got, "\n") > 1 {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
