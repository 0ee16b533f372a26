package replicaset

import (
	"math"
	"sort"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/services/controller/pod"
)

// deletionCost lets a user say which pods to keep: lower goes first.
const deletionCost = "controller.kubernetes.io/pod-deletion-cost"

// victims are the n pods whose loss hurts least, worst first.
func victims(live, related []*corev1.Pod, n int, now time.Time) []*corev1.Pod {
	if n >= len(live) {
		return live
	}
	crowd := map[string]int{} // active pods of the same deployment by node
	for _, p := range related {
		if pod.Active(p) && p.Spec.NodeName != "" {
			crowd[p.Spec.NodeName]++
		}
	}
	out := append([]*corev1.Pod{}, live...)
	sort.SliceStable(out, func(i, j int) bool {
		return compare(out[i], out[j], crowd, now) < 0
	})
	return out[:n]
}

// compare is negative if a should go before b, in the order that Kubernetes documents for scaling down.
func compare(a, b *corev1.Pod, crowd map[string]int, now time.Time) int {
	if c := before(a.Spec.NodeName == "", b.Spec.NodeName == ""); c != 0 {
		return c
	}
	if c := phaseRank(a) - phaseRank(b); c != 0 {
		return c
	}
	if c := before(!pod.Ready(a), !pod.Ready(b)); c != 0 {
		return c
	}
	if c := cost(a) - cost(b); c != 0 {
		return int(min(max(c, -1), 1))
	}
	if c := crowd[b.Spec.NodeName] - crowd[a.Spec.NodeName]; c != 0 {
		return c
	}
	if pod.Ready(a) && pod.Ready(b) {
		if c := ageRank(pod.ReadySince(a), now) - ageRank(pod.ReadySince(b), now); c != 0 {
			return c
		}
	}
	if c := restarts(b) - restarts(a); c != 0 {
		return int(c)
	}
	if c := ageRank(a.CreationTimestamp.Time, now) - ageRank(b.CreationTimestamp.Time, now); c != 0 {
		return c
	}
	return before(a.UID < b.UID, b.UID < a.UID)
}

func before(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

func phaseRank(p *corev1.Pod) int {
	switch p.Status.Phase {
	case corev1.PodPending, "":
		return 0
	case corev1.PodUnknown:
		return 1
	}
	return 2
}

func cost(p *corev1.Pod) int64 {
	n, err := strconv.ParseInt(p.Annotations[deletionCost], 10, 32)
	if err != nil {
		return 0
	}
	return n
}

// ageRank is the age's power of two: pods of about the same age count as equally
// old, so that scaling down does not always hit one rack's or one rollout's pods.
func ageRank(since, now time.Time) int {
	age := now.Sub(since)
	if since.IsZero() || age <= 0 {
		return 0
	}
	return int(math.Log2(float64(age))) + 1
}

func restarts(p *corev1.Pod) (most int32) {
	for _, c := range p.Status.ContainerStatuses {
		most = max(most, c.RestartCount)
	}
	return most
}
