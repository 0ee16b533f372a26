// Package amount adds up what pods ask for: requests, limits, and the quality-of-service
// class that follows from them, as Kubernetes does.
//
// It is pure. What always holds: a limit without a request is a request; init containers
// count for their peak, sidecars beside what runs later; the pod's own requests take
// the place of its containers'; and overhead comes on top.
package amount

import (
	"strings"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// RequestsOf is what a container requests.
func RequestsOf(c *v1.Container) v1.ResourceList {
	out := v1.ResourceList{}
	for name, q := range c.Resources.Limits {
		out[name] = q
	}
	for name, q := range c.Resources.Requests {
		out[name] = q
	}
	return out
}

func limitsOf(c *v1.Container) v1.ResourceList { return c.Resources.Limits }

// Requests is what a pod requests as a whole (KEP-753, KEP-688, KEP-2837).
func Requests(s *v1.PodSpec) v1.ResourceList {
	out := ContainerRequests(s)
	if s.Resources != nil {
		for name, q := range s.Resources.Limits {
			if _, asked := s.Resources.Requests[name]; !asked {
				out[name] = q
			}
		}
		for name, q := range s.Resources.Requests {
			out[name] = q
		}
	}
	return plus(out, s.Overhead)
}

// ContainerRequests is what a pod's containers request together at their peak.
func ContainerRequests(s *v1.PodSpec) v1.ResourceList { return peak(s, RequestsOf) }

// Limits is what a pod may use as a whole; resources that no container limits are not in it.
func Limits(s *v1.PodSpec) v1.ResourceList {
	out := peak(s, limitsOf)
	if s.Resources != nil {
		for name, q := range s.Resources.Limits {
			out[name] = q
		}
	}
	for name, q := range s.Overhead {
		if have, ok := out[name]; ok {
			have.Add(q)
			out[name] = have
		}
	}
	return out
}

// peak adds up containers, as they run at the same time.
func peak(s *v1.PodSpec, of func(*v1.Container) v1.ResourceList) v1.ResourceList {
	running, sidecars, most := v1.ResourceList{}, v1.ResourceList{}, v1.ResourceList{}
	for i := range s.Containers {
		running = plus(running, of(&s.Containers[i]))
	}
	for i := range s.InitContainers {
		c := &s.InitContainers[i]
		if IsSidecar(c) {
			sidecars = plus(sidecars, of(c))
			most = atLeast(most, sidecars)
			continue
		}
		most = atLeast(most, plus(sidecars, of(c)))
	}
	return atLeast(plus(running, sidecars), most)
}

// IsSidecar tells whether an init container runs beside the containers.
func IsSidecar(c *v1.Container) bool {
	return c.RestartPolicy != nil && *c.RestartPolicy == v1.ContainerRestartPolicyAlways
}

func plus(a, b v1.ResourceList) v1.ResourceList {
	return combine(a, b, func(x *resource.Quantity, y resource.Quantity) { x.Add(y) })
}

func atLeast(a, b v1.ResourceList) v1.ResourceList {
	return combine(a, b, func(x *resource.Quantity, y resource.Quantity) {
		if x.Cmp(y) < 0 {
			*x = y
		}
	})
}

func combine(a, b v1.ResourceList, f func(x *resource.Quantity, y resource.Quantity)) v1.ResourceList {
	out := make(v1.ResourceList, len(a)+len(b))
	for name, q := range a {
		out[name] = q.DeepCopy()
	}
	for name, q := range b {
		have, ok := out[name]
		if !ok {
			out[name] = q.DeepCopy()
			continue
		}
		f(&have, q)
		out[name] = have
	}
	return out
}

// QOS is a pod's quality-of-service class: Guaranteed if CPU and memory have limits that
// equal the requests in every container, or in the pod as a whole where it says
// something itself; BestEffort if there are neither.
// https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/
func QOS(s *v1.PodSpec) v1.PodQOSClass {
	var all []v1.ResourceRequirements
	if s.Resources != nil && (names(s.Resources.Requests) || names(s.Resources.Limits)) {
		all = append(all, *s.Resources)
	} else {
		for _, cs := range [][]v1.Container{s.InitContainers, s.Containers} {
			for i := range cs {
				all = append(all, cs[i].Resources)
			}
		}
	}
	some, guaranteed := false, true
	for _, r := range all {
		for _, n := range []v1.ResourceName{v1.ResourceCPU, v1.ResourceMemory} {
			request, limit := r.Requests[n], r.Limits[n]
			some = some || !request.IsZero() || !limit.IsZero()
			if _, asked := r.Requests[n]; !asked {
				request = limit
			}
			if limit.IsZero() || request.Cmp(limit) != 0 {
				guaranteed = false
			}
		}
	}
	switch {
	case !some:
		return v1.PodQOSBestEffort
	case guaranteed:
		return v1.PodQOSGuaranteed
	}
	return v1.PodQOSBurstable
}

// names tells whether l says something about CPU or memory.
func names(l v1.ResourceList) bool {
	cpu, memory := l[v1.ResourceCPU], l[v1.ResourceMemory]
	return !cpu.IsZero() || !memory.IsZero()
}

// HugePage is the page size, in bytes, that a resource's name tells of.
func HugePage(name v1.ResourceName) (int64, bool) {
	size, ok := strings.CutPrefix(string(name), v1.ResourceHugePagesPrefix)
	if !ok {
		return 0, false
	}
	q, err := resource.ParseQuantity(size)
	if err != nil || q.Value() <= 0 {
		return 0, false
	}
	return q.Value(), true
}
