package place

import (
	"math"
	"strings"

	v1 "k8s.io/api/core/v1"
)

// Policy says how nodes are scored. The zero Policy is Kubernetes' default.
type Policy struct {
	// Pack fills nodes up (MostAllocated) instead of keeping them free (LeastAllocated).
	Pack bool
}

// Weights of the scores, each of which is 0 to 100: Kubernetes' defaults.
const (
	weightFree    = 1 // NodeResourcesFit
	weightBalance = 1 // NodeResourcesBalancedAllocation
	weightImage   = 1 // ImageLocality
	weightPrefer  = 2 // NodeAffinity
	weightSpread  = 2 // PodTopologySpread
	weightPull    = 2 // InterPodAffinity
	weightTaint   = 3 // TaintToleration
)

// localScore is the part of a node's score that depends on nothing but the node.
func (k *class) localScore(c *Cluster, n *nodeInfo) float32 {
	return float32(weightFree*k.freeScore(c.policy, n) + weightBalance*k.balanceScore(n) + weightImage*k.imageScore(c, n))
}

// shares are how full cpu and memory would be.
func (k *class) shares(n *nodeInfo) (cpu, memory float64) {
	share := func(have, used, ask int64) float64 {
		if have <= 0 {
			return 1
		}
		return min(1, float64(used+ask)/float64(have))
	}
	return share(n.allocatable.MilliCPU, n.nonzero[0], k.rep.nonzero[0]), share(n.allocatable.Memory, n.nonzero[1], k.rep.nonzero[1])
}

// freeScore is the share of cpu and memory that stays free, or is taken.
func (k *class) freeScore(policy Policy, n *nodeInfo) float64 {
	cpu, memory := k.shares(n)
	if policy.Pack {
		return 50 * (cpu + memory)
	}
	return 50 * (2 - cpu - memory)
}

// balanceScore is high where cpu and memory would be equally full. Pods that ask for
// neither are not scored so.
func (k *class) balanceScore(n *nodeInfo) float64 {
	if k.rep.Request.MilliCPU == 0 && k.rep.Request.Memory == 0 {
		return 0
	}
	share := func(have, used, ask int64) float64 {
		if have <= 0 {
			return 0
		}
		return min(1, float64(used+ask)/float64(have))
	}
	cpu := share(n.allocatable.MilliCPU, n.requested.MilliCPU, k.rep.Request.MilliCPU)
	memory := share(n.allocatable.Memory, n.requested.Memory, k.rep.Request.Memory)
	return 100 * (1 - math.Abs(cpu-memory)/2)
}

// imageScore is high where much of what the pod's images weigh is there already;
// an image counts less if few nodes have it, so that they are not flooded.
func (k *class) imageScore(c *Cluster, n *nodeInfo) float64 {
	const least, most = 23 << 20, 1000 << 20
	if len(n.images) == 0 {
		return 0
	}
	sum, containers := 0.0, 0
	for _, list := range [][]v1.Container{k.rep.spec.InitContainers, k.rep.spec.Containers} {
		containers += len(list)
		for i := range list {
			name := normalImage(list[i].Image)
			if size, ok := n.images[name]; ok {
				sum += float64(size) * float64(c.images[name]) / float64(max(1, len(c.byName)))
			}
		}
	}
	top := float64(most * max(1, containers))
	return 100 * (min(max(sum, least), top) - least) / (top - least)
}

// normalImage gives an image without a tag the tag latest.
func normalImage(name string) string {
	if strings.LastIndex(name, ":") <= strings.LastIndex(name, "/") && !strings.Contains(name, "@") {
		return name + ":latest"
	}
	return name
}

// spreadRaw is how crowded the feasible nodes are with k's like; -1 for one that a
// constraint of the pod's own does not count. A system default counts it as it is.
func (k *class) spreadRaw(c *Cluster) []float32 {
	raw := append(c.raw[:0], make([]float32, len(c.feasible))...)
	c.raw = raw
	for i := range k.soft {
		s := &k.soft[i]
		weight, base, of, dom, node := s.weight, float32(s.maxSkew-1), s.topo.of, s.dom, s.tally.node
		missing := float32(0)
		if s.matcher != nil {
			missing = shutScore
		}
		for j, slot := range c.feasible {
			d := of[slot]
			switch {
			case d < 0:
				raw[j] += missing
			case s.perNode:
				raw[j] += float32(max(0, node[slot]))*weight + base
			default:
				raw[j] += float32(dom[d])*weight + base
			}
		}
	}
	return raw
}

// pullRaw is how much pods draw k's to a slot.
func (k *class) pullRaw(slot int) int64 {
	var sum int64
	for i := range k.pulls {
		p := &k.pulls[i]
		sum += p.weight * int64(p.in(slot))
	}
	return sum
}

// scale holds what raw scores are normalised by: their extremes over the nodes that fit.
type scale struct {
	avoid, prefer        int32
	spreadMin, spreadMax float32
	pullMin, pullMax     int64
	spread, pull         bool
}

func (z *scale) taint(raw int32) float32 {
	if z.avoid == 0 {
		return 100
	}
	return 100 - 100*float32(raw)/float32(z.avoid)
}

func (z *scale) like(raw int32) float32 {
	if z.prefer == 0 {
		return 0
	}
	return 100 * float32(raw) / float32(z.prefer)
}

func (z *scale) even(raw float32) float32 {
	switch {
	case raw < 0:
		return 0
	case z.spreadMax == 0:
		return 100
	}
	return 100 * (z.spreadMax + z.spreadMin - raw) / z.spreadMax
}

func (z *scale) drawn(raw int64) float32 {
	if z.pullMax == z.pullMin {
		return 0
	}
	return 100 * float32(raw-z.pullMin) / float32(z.pullMax-z.pullMin)
}
