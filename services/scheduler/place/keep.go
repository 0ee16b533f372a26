package place

import (
	"maps"

	v1 "k8s.io/api/core/v1"
)

// keptSpecs is how many specs are remembered to be shared.
const keptSpecs = 1024

// keep returns a spec that says the same as s, if there is one already: a spec is a part
// of its pod and would keep all of it in memory, and pods of one template differ in nothing
// but their node, which of a placed pod nobody asks its spec.
func (c *Cluster) keep(s *v1.PodSpec) *v1.PodSpec {
	if len(s.Containers) == 0 {
		return s
	}
	first := &s.Containers[0]
	if kept := c.specs[first]; kept != nil && sameSpec(kept, s) {
		return kept
	}
	if len(c.specs) >= keptSpecs {
		clear(c.specs)
	}
	c.specs[first] = s
	return s
}

// sameSpec compares specs whose containers are the same memory by the memory of what else
// placing reads in them.
func sameSpec(a, b *v1.PodSpec) bool {
	return a.Affinity == b.Affinity && sameMemory(a.TopologySpreadConstraints, b.TopologySpreadConstraints) &&
		sameMemory(a.Tolerations, b.Tolerations) && sameMemory(a.InitContainers, b.InitContainers) && sameMemory(a.Containers, b.Containers) &&
		a.PreemptionPolicy == b.PreemptionPolicy && maps.Equal(a.NodeSelector, b.NodeSelector)
}

func sameMemory[T any](a, b []T) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}
