package place

import (
	"slices"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// nodeInfo is a node and the sums over its pods.
type nodeInfo struct {
	slot        int
	node        *v1.Node
	allocatable Resources
	maxPods     int64
	requested   Resources
	nonzero     [2]int64
	pods        map[types.UID]*Pod
	count       int64      // of pods
	ports       []hostPort // of its pods
	nominated   []*Pod
	images      map[string]int64
}

func (n *nodeInfo) set(node *v1.Node) {
	n.node = node
	n.allocatable = FromList(node.Status.Allocatable)
	pods := node.Status.Allocatable[v1.ResourcePods]
	n.maxPods = pods.Value()
}

// add takes p in (1) or out (-1).
func (n *nodeInfo) add(p *Pod, sign int64) {
	if sign > 0 {
		n.pods[p.UID] = p
	} else {
		delete(n.pods, p.UID)
	}
	n.sum(p, sign)
}

// sum counts p in (1) or out (-1) of all that is summed over the node's pods.
func (n *nodeInfo) sum(p *Pod, sign int64) {
	if sign > 0 {
		n.ports = append(n.ports, p.ports...)
	} else {
		for _, port := range p.ports {
			if i := slices.Index(n.ports, port); i >= 0 {
				n.ports = slices.Delete(n.ports, i, i+1)
			}
		}
	}
	n.count += sign
	n.requested.MilliCPU += sign * p.Request.MilliCPU
	n.requested.Memory += sign * p.Request.Memory
	n.requested.Ephemeral += sign * p.Request.Ephemeral
	for k, v := range p.Request.Scalar {
		if n.requested.Scalar == nil {
			n.requested.Scalar = map[v1.ResourceName]int64{}
		}
		n.requested.Scalar[k] += sign * v
	}
	n.nonzero[0] += sign * p.nonzero[0]
	n.nonzero[1] += sign * p.nonzero[1]
}

// Bits of a shortage. Scalars come after those named here, in the order of their
// names; the last bit is shared by those beyond.
const (
	shortPods = 1 << iota
	shortCPU
	shortMemory
	shortEphemeral
	shortPorts
	firstScalar = 5
	lastScalar  = 15
)

// short tells what n lacks for the pods of class k. Only what they ask for counts: a pod
// that asks for no memory runs on a node whose memory is overcommitted.
func (k *class) short(n *nodeInfo) (mask uint16) {
	used, pods := &n.requested, n.count
	if len(n.nominated) > 0 {
		u, more := n.kept(k.rep.Priority)
		used, pods = &u, pods+more
	}
	ask, have := &k.rep.Request, &n.allocatable
	if pods+1 > n.maxPods {
		mask |= shortPods
	}
	if ask.MilliCPU > 0 && ask.MilliCPU > have.MilliCPU-used.MilliCPU {
		mask |= shortCPU
	}
	if ask.Memory > 0 && ask.Memory > have.Memory-used.Memory {
		mask |= shortMemory
	}
	if ask.Ephemeral > 0 && ask.Ephemeral > have.Ephemeral-used.Ephemeral {
		mask |= shortEphemeral
	}
	for i, name := range k.scalars {
		if v := ask.Scalar[name]; v > 0 && v > have.Scalar[name]-used.Scalar[name] {
			mask |= 1 << min(firstScalar+i, lastScalar)
		}
	}
	if len(k.rep.ports) > 0 && !n.portsFree(k.rep) {
		mask |= shortPorts
	}
	return mask
}

// kept is what n's pods request, with the pods that room is kept for, and their number.
func (n *nodeInfo) kept(priority int32) (Resources, int64) {
	used, more := n.requested, int64(0)
	for _, p := range n.nominated {
		if p.Priority >= priority {
			used, more = used.plus(p.Request), more+1
		}
	}
	return used, more
}

func (n *nodeInfo) portsFree(p *Pod) bool {
	for _, taken := range n.ports {
		for _, want := range p.ports {
			if want.conflicts(taken) {
				return false
			}
		}
	}
	for _, other := range n.nominated {
		if other.Priority < p.Priority {
			continue
		}
		for _, taken := range other.ports {
			for _, want := range p.ports {
				if want.conflicts(taken) {
					return false
				}
			}
		}
	}
	return true
}
