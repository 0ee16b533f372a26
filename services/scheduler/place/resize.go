package place

import (
	v1 "k8s.io/api/core/v1"
)

// reserved is what a pod takes of its node: what it asks for or what its node has granted
// it, whichever is more, while the change of the one into the other goes on. What its node
// can never grant takes nothing (KEP-1287).
func reserved(pod *v1.Pod) Resources {
	asked := requestOf(&pod.Spec)
	granted, changes := grantedSpec(pod)
	if !changes {
		return asked
	}
	given := requestOf(granted)
	for _, c := range pod.Status.Conditions {
		if c.Type == v1.PodResizePending && c.Reason == v1.PodReasonInfeasible {
			return given
		}
	}
	return asked.atLeast(given)
}

// Resizing tells whether a pod's node has not granted what the pod asks for now.
func Resizing(pod *v1.Pod) bool {
	_, changes := grantedSpec(pod)
	return changes
}

// grantedSpec is the pod's spec with the requests that its node has granted. It tells
// whether they differ from what is asked for.
func grantedSpec(pod *v1.Pod) (*v1.PodSpec, bool) {
	s, changes := &pod.Spec, false
	take := func(list []v1.Container, statuses []v1.ContainerStatus) []v1.Container {
		out := list
		for i := range list {
			for j := range statuses {
				if statuses[j].Name != list[i].Name || statuses[j].AllocatedResources == nil || sameRequests(statuses[j].AllocatedResources, list[i].Resources.Requests) {
					continue
				}
				if &out[0] == &list[0] {
					out = append([]v1.Container{}, list...)
				}
				out[i].Resources.Requests = statuses[j].AllocatedResources
				changes = true
			}
		}
		return out
	}
	containers, before, whole := take(s.Containers, pod.Status.ContainerStatuses), take(s.InitContainers, pod.Status.InitContainerStatuses), s.Resources
	if r := pod.Status.Resources; whole != nil && r != nil && !sameRequests(r.Requests, whole.Requests) {
		whole, changes = r, true
	}
	if !changes {
		return s, false // hardly any pod is being resized: there is no copy of it
	}
	granted := *s
	granted.Containers, granted.InitContainers, granted.Resources = containers, before, whole
	return &granted, true
}

func sameRequests(a, b v1.ResourceList) bool {
	for _, n := range []v1.ResourceName{v1.ResourceCPU, v1.ResourceMemory} {
		x, y := a[n], b[n]
		if x.Cmp(y) != 0 {
			return false
		}
	}
	return true
}
