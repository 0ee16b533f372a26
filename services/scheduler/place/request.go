package place

import v1 "k8s.io/api/core/v1"

// Resources are amounts of what nodes have and pods ask for: cpu in thousandths
// of a core, memory and ephemeral storage in bytes, others in their own unit.
type Resources struct {
	MilliCPU, Memory, Ephemeral int64
	Scalar                      map[v1.ResourceName]int64
}

// FromList reads a Kubernetes resource list; "pods" is left out.
func FromList(l v1.ResourceList) Resources {
	var r Resources
	for name, q := range l {
		switch name {
		case v1.ResourceCPU:
			r.MilliCPU = q.MilliValue()
		case v1.ResourceMemory:
			r.Memory = q.Value()
		case v1.ResourceEphemeralStorage:
			r.Ephemeral = q.Value()
		case v1.ResourcePods:
		default:
			if r.Scalar == nil {
				r.Scalar = map[v1.ResourceName]int64{}
			}
			r.Scalar[name] = q.Value()
		}
	}
	return r
}

// combine applies f to each resource of r and o.
func (r Resources) combine(o Resources, f func(a, b int64) int64) Resources {
	out := Resources{MilliCPU: f(r.MilliCPU, o.MilliCPU), Memory: f(r.Memory, o.Memory), Ephemeral: f(r.Ephemeral, o.Ephemeral)}
	if len(r.Scalar)+len(o.Scalar) > 0 {
		out.Scalar = make(map[v1.ResourceName]int64, len(r.Scalar))
		for k, v := range r.Scalar {
			out.Scalar[k] = f(v, o.Scalar[k])
		}
		for k, v := range o.Scalar {
			if _, seen := r.Scalar[k]; !seen {
				out.Scalar[k] = f(0, v)
			}
		}
	}
	return out
}

func (r Resources) plus(o Resources) Resources {
	return r.combine(o, func(a, b int64) int64 { return a + b })
}

func (r Resources) minus(o Resources) Resources {
	return r.combine(o, func(a, b int64) int64 { return a - b })
}

func (r Resources) atLeast(o Resources) Resources {
	return r.combine(o, func(a, b int64) int64 { return max(a, b) })
}

// requestOf is a pod's effective request: the sum of its containers and sidecars,
// or what an init container needs on top of the sidecars started before it, if
// that is more; plus the overhead (KEP-753, KEP-688).
func requestOf(s *v1.PodSpec) Resources {
	var running, sidecars, peak Resources
	for _, c := range s.Containers {
		running = running.plus(FromList(c.Resources.Requests))
	}
	for _, c := range s.InitContainers {
		r := FromList(c.Resources.Requests)
		if c.RestartPolicy != nil && *c.RestartPolicy == v1.ContainerRestartPolicyAlways {
			sidecars = sidecars.plus(r)
			peak = peak.atLeast(sidecars)
			continue
		}
		peak = peak.atLeast(sidecars.plus(r))
	}
	total := running.plus(sidecars).atLeast(peak)
	if s.Resources != nil && s.Resources.Requests != nil {
		// Pod-level requests take the place of the containers' (KEP-2837).
		pod := FromList(s.Resources.Requests)
		if pod.MilliCPU > 0 {
			total.MilliCPU = pod.MilliCPU
		}
		if pod.Memory > 0 {
			total.Memory = pod.Memory
		}
	}
	return total.plus(FromList(s.Overhead))
}
