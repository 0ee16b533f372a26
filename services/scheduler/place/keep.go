package place

import (
	"maps"
	"slices"

	v1 "k8s.io/api/core/v1"
)

// keptTraits is how many traits are remembered to be shared.
const keptTraits = 1024

// keep returns traits that say the same as t, if there are some already: a spec is a part
// of its pod and would keep all of it in memory, and pods of one template differ in nothing
// but their node, which of a placed pod nobody asks its spec.
func (c *Cluster) keep(t *traits) *traits {
	if len(t.spec.Containers) == 0 {
		return t
	}
	first := &t.spec.Containers[0]
	if kept := c.traits[first]; kept != nil && sameSpec(kept.spec, t.spec) {
		if kept.same(t) {
			return kept
		}
		own := *t // they may be another pod's as well
		own.spec = kept.spec
		t = &own
	}
	if len(c.traits) >= keptTraits {
		clear(c.traits)
	}
	c.traits[first] = t
	return t
}

// same compares traits whose specs are the same.
func (t *traits) same(o *traits) bool {
	return t.Request.same(o.Request) && t.Priority == o.Priority && t.nonzero == o.nonzero && maps.Equal(t.labels, o.labels) &&
		slices.Equal(t.ports, o.ports) && t.group == o.group && t.fence == o.fence
}

func (r Resources) same(o Resources) bool {
	return r.MilliCPU == o.MilliCPU && r.Memory == o.Memory && r.Ephemeral == o.Ephemeral && maps.Equal(r.Scalar, o.Scalar)
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
