package defaults

import v1 "k8s.io/api/core/v1"

// milli is the scale to which quantities are rounded up: thousandths.
const milli = -3

func round(list v1.ResourceList) {
	for name, q := range list {
		q.RoundUp(milli)
		list[name] = q
	}
}

// requestsFromLimits requests of each limited resource what it is limited to.
func requestsFromLimits(r *v1.ResourceRequirements) {
	if r.Limits == nil {
		return
	}
	if r.Requests == nil {
		r.Requests = v1.ResourceList{}
	}
	for name, q := range r.Limits {
		if _, set := r.Requests[name]; !set {
			r.Requests[name] = q.DeepCopy()
		}
	}
}

// podResources fills in the requests of a pod that limits itself as a whole: what
// its containers request together, else what the pod is limited to (KEP-2837).
func podResources(s *v1.PodSpec) {
	if s.Resources == nil || len(s.Resources.Limits) == 0 {
		return
	}
	requests := v1.ResourceList{}
	for name, q := range s.Resources.Requests {
		requests[name] = q
	}
	together := containerRequests(s)
	for _, name := range []v1.ResourceName{v1.ResourceCPU, v1.ResourceMemory} {
		if _, set := requests[name]; set {
			continue
		}
		if q, ok := together[name]; ok {
			requests[name] = q
		} else if q, ok := s.Resources.Limits[name]; ok {
			requests[name] = q.DeepCopy()
		}
	}
	if len(requests) > 0 {
		s.Resources.Requests = requests
	}
}

// containerRequests is what the pod's containers need at one time: the regular ones
// and the sidecars together, or, if it is more, an init container beside the
// sidecars that were started before it.
func containerRequests(s *v1.PodSpec) v1.ResourceList {
	sum, peak := v1.ResourceList{}, v1.ResourceList{}
	for i := range s.InitContainers {
		c := &s.InitContainers[i]
		if c.RestartPolicy != nil && *c.RestartPolicy == v1.ContainerRestartPolicyAlways {
			add(sum, c.Resources.Requests)
			atLeast(peak, sum)
			continue
		}
		during := sum.DeepCopy()
		add(during, c.Resources.Requests)
		atLeast(peak, during)
	}
	for i := range s.Containers {
		add(sum, s.Containers[i].Resources.Requests)
	}
	atLeast(sum, peak)
	return sum
}

func add(to, list v1.ResourceList) {
	for name, q := range list {
		total := to[name].DeepCopy()
		total.Add(q)
		to[name] = total
	}
}

func atLeast(to, list v1.ResourceList) {
	for name, q := range list {
		if have, ok := to[name]; !ok || have.Cmp(q) < 0 {
			to[name] = q.DeepCopy()
		}
	}
}
