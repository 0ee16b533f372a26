package deployment

import (
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// replicas is how many pods d wants.
func replicas(d *appsv1.Deployment) int32 {
	if d.Spec.Replicas == nil {
		return 1
	}
	return *d.Spec.Replicas
}

func size(rs *appsv1.ReplicaSet) int32 {
	if rs == nil || rs.Spec.Replicas == nil {
		return 0
	}
	return *rs.Spec.Replicas
}

func rolling(d *appsv1.Deployment) bool {
	return d.Spec.Strategy.Type != appsv1.RecreateDeploymentStrategyType
}

// fences are how many pods there may be beyond, and how few available below, what
// is wanted. A percentage of surge is rounded up, one of unavailability down; both
// zero would allow no step at all, so then one pod may be missing.
func fences(d *appsv1.Deployment) (surge, unavailable int32) {
	if !rolling(d) || replicas(d) == 0 {
		return 0, 0
	}
	quarter := intstr.FromString("25%")
	maxSurge, maxUnavailable := &quarter, &quarter
	if r := d.Spec.Strategy.RollingUpdate; r != nil {
		if r.MaxSurge != nil {
			maxSurge = r.MaxSurge
		}
		if r.MaxUnavailable != nil {
			maxUnavailable = r.MaxUnavailable
		}
	}
	want := int(replicas(d))
	// What does not parse has been refused by validation; it counts as 0.
	s, _ := intstr.GetScaledValueFromIntOrPercent(maxSurge, want, true)
	u, _ := intstr.GetScaledValueFromIntOrPercent(maxUnavailable, want, false)
	if s == 0 && u == 0 {
		u = 1
	}
	return int32(s), min(int32(u), replicas(d))
}

func minAvailable(d *appsv1.Deployment) int32 {
	_, unavailable := fences(d)
	return replicas(d) - unavailable
}

// sizes sums what the sets are to have.
func sizes(sets []*appsv1.ReplicaSet) (n int32) {
	for _, rs := range sets {
		n += size(rs)
	}
	return n
}

// occupied sums what the sets are to have, or have still, whichever is more.
func occupied(sets []*appsv1.ReplicaSet) (n int32) {
	for _, rs := range sets {
		n += max(size(rs), rs.Status.Replicas)
	}
	return n
}

// available sums the pods that are available and will stay: a set that was just
// made smaller may still report the pods that it is about to delete.
func available(sets []*appsv1.ReplicaSet) (n int32) {
	for _, rs := range sets {
		n += min(rs.Status.AvailableReplicas, size(rs))
	}
	return n
}
