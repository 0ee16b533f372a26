package status

import (
	v1 "k8s.io/api/core/v1"
)

// QOS is the pod's quality-of-service class: Guaranteed if every container has
// equal requests and limits for CPU and memory, BestEffort if none has any.
// https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/
func QOS(p *v1.Pod) v1.PodQOSClass {
	if p.Status.QOSClass != "" {
		return p.Status.QOSClass
	}
	any, guaranteed := false, true
	all := append(append([]v1.Container{}, p.Spec.InitContainers...), p.Spec.Containers...)
	for i := range all {
		r := &all[i].Resources
		for _, n := range []v1.ResourceName{v1.ResourceCPU, v1.ResourceMemory} {
			request, limit := r.Requests[n], r.Limits[n]
			any = any || !request.IsZero() || !limit.IsZero()
			if _, asked := r.Requests[n]; !asked {
				request = limit
			}
			if limit.IsZero() || request.Cmp(limit) != 0 {
				guaranteed = false
			}
		}
	}
	switch {
	case !any:
		return v1.PodQOSBestEffort
	case guaranteed:
		return v1.PodQOSGuaranteed
	}
	return v1.PodQOSBurstable
}
