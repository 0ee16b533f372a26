package pod

import (
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/skerry/skerry/schemas/amount"
	"github.com/skerry/skerry/services/agent/sandbox"
)

// The kernel's scale for CPU: 1024 shares and a period of 100 ms per core, with
// the least values it accepts.
const (
	sharesPerCore = 1024
	minShares     = 2
	cpuPeriod     = 100_000 // microseconds
	minQuota      = 1000
)

// The kubelet's oom_score_adj: who is killed first when the host has no memory left.
const (
	scoreGuaranteed = -997
	scoreBestEffort = 1000
	scoreWhole      = 1000
	criticalFrom    = 2_000_000_000 // the priority of system-cluster-critical
	nodeCritical    = criticalFrom + 1000
)

// Host is what containers' limits depend on beside their pod.
type Host struct {
	Memory     int64 // bytes it has
	PidsLimit  int64 // processes in a pod; 0 is no limit
	ScoreFloor int   // the least oom_score_adj that can be had
}

// Limits are a container's cgroup settings. A limit without a request is a request
// too. The container of a pod with limits of its own may use all of those.
func Limits(p *v1.Pod, c *v1.Container, h Host) sandbox.Resources {
	out := cpuAndMemory(c.Resources)
	out.Pids = -1 // the runtime has a default of its own, which Kubernetes has not
	if h.PidsLimit > 0 {
		out.Pids = h.PidsLimit
	}
	out.HugePages = hugePages(c.Resources.Limits)
	if out.HugePages == nil && p.Spec.Resources != nil {
		out.HugePages = hugePages(p.Spec.Resources.Limits)
	}
	score := max(oomScore(p, c, h.Memory), h.ScoreFloor)
	out.OOMScore = &score
	return out
}

func cpuAndMemory(r v1.ResourceRequirements) sandbox.Resources {
	out := sandbox.Resources{Memory: value(r.Limits, v1.ResourceMemory).Value()}
	limit, request := value(r.Limits, v1.ResourceCPU), value(r.Requests, v1.ResourceCPU)
	if _, ok := r.Requests[v1.ResourceCPU]; !ok {
		request = limit
	}
	return withCPU(out, request, limit)
}

func withCPU(out sandbox.Resources, request, limit *resource.Quantity) sandbox.Resources {
	out.CPUShares = uint64(max(request.MilliValue()*sharesPerCore/1000, minShares))
	if m := limit.MilliValue(); m > 0 {
		out.CPUQuota = max(m*cpuPeriod/1000, minQuota)
		out.CPUPeriod = cpuPeriod
	}
	return out
}

// PodLimits are the settings of the pod's own cgroup: its share of the host among
// other pods is what it requests as a whole; limits are set where all that runs in it has
// one, or the pod itself.
func PodLimits(p *v1.Pod) sandbox.Resources {
	request, limit := amount.Requests(&p.Spec), amount.Limits(&p.Spec)
	if amount.QOS(&p.Spec) == v1.PodQOSBestEffort {
		return sandbox.Resources{CPUShares: minShares}
	}
	out := withCPU(sandbox.Resources{}, value(request, v1.ResourceCPU), value(bounded(p, limit, v1.ResourceCPU), v1.ResourceCPU))
	out.Memory = value(bounded(p, limit, v1.ResourceMemory), v1.ResourceMemory).Value()
	return out
}

// bounded is limit if every container has a limit of name, or the pod has; else nothing.
func bounded(p *v1.Pod, limit v1.ResourceList, name v1.ResourceName) v1.ResourceList {
	if p.Spec.Resources != nil {
		if _, ok := p.Spec.Resources.Limits[name]; ok {
			return limit
		}
	}
	for _, cs := range [][]v1.Container{p.Spec.InitContainers, p.Spec.Containers} {
		for i := range cs {
			if q := cs[i].Resources.Limits[name]; q.IsZero() {
				return nil
			}
		}
	}
	return limit
}

// hugePages are limits by page size. The kernel's name of 2Mi is 2MB.
func hugePages(limits v1.ResourceList) map[string]int64 {
	var out map[string]int64
	for name, q := range limits {
		size, ok := amount.HugePage(name)
		if !ok {
			continue
		}
		if out == nil {
			out = map[string]int64{}
		}
		out[pageName(size)] = q.Value()
	}
	return out
}

// pageName is a page size as in the kernel's names of hugetlb files.
func pageName(size int64) string {
	units := []string{"KB", "MB", "GB"}
	size >>= 10
	i := 0
	for size >= 1024 && size%1024 == 0 && i < len(units)-1 {
		size >>= 10
		i++
	}
	return resource.NewQuantity(size, resource.DecimalSI).String() + units[i]
}

// oomScore is the kubelet's: the more memory a container asked for, the later it is
// killed; sidecars not before what they serve.
func oomScore(p *v1.Pod, c *v1.Container, capacity int64) int {
	if p.Spec.Priority != nil && *p.Spec.Priority >= nodeCritical {
		return scoreGuaranteed
	}
	switch amount.QOS(&p.Spec) {
	case v1.PodQOSGuaranteed:
		return scoreGuaranteed
	case v1.PodQOSBestEffort:
		return scoreBestEffort
	}
	score := burstableScore(p, c, capacity)
	if c.RestartPolicy != nil && *c.RestartPolicy == v1.ContainerRestartPolicyAlways {
		for i := range p.Spec.Containers {
			score = min(score, burstableScore(p, &p.Spec.Containers[i], capacity))
		}
	}
	return score
}

func burstableScore(p *v1.Pod, c *v1.Container, capacity int64) int {
	if capacity <= 0 {
		return scoreBestEffort - 1
	}
	request := value(amount.RequestsOf(c), v1.ResourceMemory).Value()
	if p.Spec.Resources != nil {
		request += spare(p)
	}
	score := scoreWhole - int(scoreWhole*float64(request)/float64(capacity))
	return min(max(score, scoreWhole+scoreGuaranteed), scoreBestEffort-1)
}

// spare is each container's part of what the pod requests beyond its containers.
func spare(p *v1.Pod) int64 {
	whole, ok := p.Spec.Resources.Requests[v1.ResourceMemory]
	if !ok {
		return 0
	}
	containers := amount.ContainerRequests(&p.Spec)
	left := whole.Value() - value(containers, v1.ResourceMemory).Value()
	return max(left, 0) / int64(max(len(p.Spec.Containers), 1))
}

func value(l v1.ResourceList, n v1.ResourceName) *resource.Quantity {
	q := l[n]
	return &q
}

func (l *launching) limits(c *v1.Container) sandbox.Resources { return Limits(l.pod, c, l.host()) }

func (r *Reconciler) host() Host {
	if r.Config.Limits == nil {
		return Host{}
	}
	return r.Config.Limits()
}
