package eviction

import (
	"cmp"
	"slices"

	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/schemas/amount"
)

// Use is what a pod uses.
type Use struct {
	Memory, PIDs int64
	Containers   map[string]ContainerUse
	// Volumes are its emptyDirs on disk, and in memory, by name.
	Volumes  map[string]Space
	InMemory map[string]int64
}

// ContainerUse is what one of a pod's containers uses.
type ContainerUse struct {
	Memory      int64
	Layer, Logs Space // its writable layer, and its logs
}

// part says which places of a pod's disk use count: those on the full file system.
type part struct{ layers, local bool }

// disk is what counts of a pod's disk use.
func (u Use) disk(p part) Space {
	var sum Space
	for _, c := range u.Containers {
		if p.layers {
			sum.add(c.Layer)
		}
		if p.local {
			sum.add(c.Logs)
		}
	}
	if p.local {
		for _, v := range u.Volumes {
			sum.add(v)
		}
	}
	return sum
}

// candidate is a pod that may be ended.
type candidate struct {
	pod *v1.Pod
	use Use
}

// criticalFrom is the priority from which a pod is spared, system-cluster-critical's.
const criticalFrom = 2_000_000_000

func critical(p *v1.Pod) bool { return p.Spec.Priority != nil && *p.Spec.Priority >= criticalFrom }

func priority(p *v1.Pod) int32 {
	if p.Spec.Priority == nil {
		return 0
	}
	return *p.Spec.Priority
}

// rank puts those to end first in front: who uses more than it requested, then by
// priority, then by how much more than requested it uses. For processes only priority and their
// number count, and nobody requests inodes: who uses any exceeds that. Pure.
func rank(s Signal, cs []candidate, p part) []candidate {
	out := slices.Clone(cs)
	over := func(c candidate) int64 {
		want := amount.Requests(&c.pod.Spec)
		switch s {
		case MemoryAvailable:
			return c.use.Memory - want.Memory().Value()
		case PIDAvailable:
			return c.use.PIDs
		}
		used := c.use.disk(p).of(s)
		if meanings[s].resource == inodes {
			return used
		}
		return used - want.StorageEphemeral().Value()
	}
	exceeds := func(c candidate) int {
		if s == PIDAvailable || over(c) > 0 {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(out, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(exceeds(a), exceeds(b)), cmp.Compare(priority(a.pod), priority(b.pod)),
			cmp.Compare(over(b), over(a)), cmp.Compare(a.pod.Namespace+"/"+a.pod.Name, b.pod.Namespace+"/"+b.pod.Name))
	})
	return out
}
