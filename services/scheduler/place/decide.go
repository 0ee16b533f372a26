package place

import (
	"fmt"
	"hash/fnv"
	"sort"
	"strings"

	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/schemas"
)

// Unfit says why a pod fits nowhere.
type Unfit struct {
	Nodes   int            // how many nodes there are
	Reasons map[string]int // reason → nodes that it refused
}

// Error renders it as Kubernetes does: "0/3 nodes are available: 1 Too many pods,
// 2 Insufficient cpu.".
func (u *Unfit) Error() string {
	if u.Nodes == 0 {
		return "no nodes available to schedule pods"
	}
	parts := make([]string, 0, len(u.Reasons))
	for r, n := range u.Reasons {
		parts = append(parts, fmt.Sprintf("%d %s", n, r))
	}
	sort.Strings(parts)
	return fmt.Sprintf("0/%d nodes are available: %s.", u.Nodes, strings.Join(parts, ", "))
}

// Decide returns the node that p should run on, or an *Unfit. It does not place
// it: SetPod does.
func (c *Cluster) Decide(p *Pod) (schemas.NodeName, error) {
	unfit := &Unfit{Nodes: len(c.nodes), Reasons: map[string]int{}}
	var fitting []*nodeInfo
	most := 0 // pods of p's group on one node
	for _, n := range c.byName() {
		reasons := refuse(p, n)
		for _, r := range reasons {
			unfit.Reasons[r]++
		}
		if len(reasons) == 0 {
			fitting = append(fitting, n)
			most = max(most, n.groups[p.group])
		}
	}
	if len(fitting) == 0 {
		return "", unfit
	}
	var best *nodeInfo
	var bestScore float64
	var bestTie uint64
	for _, n := range fitting {
		s, tie := score(p, n, most), tieBreak(p, n)
		if best == nil || s > bestScore || s == bestScore && tie > bestTie {
			best, bestScore, bestTie = n, s, tie
		}
	}
	return schemas.NodeName(best.node.Name), nil
}

// Weights of the scores, each of which is 0 to 100. They are Kubernetes' defaults:
// spreading over all, then taints to avoid.
const (
	weightFree   = 1
	weightSpread = 2
	weightPrefer = 2
	weightTaint  = 3
)

// score rates a node that fits; more is better. most is the largest number of
// pods of p's group on any fitting node.
func score(p *Pod, n *nodeInfo, most int) float64 {
	s := weightFree*freeScore(p, n) + weightTaint*taintScore(p, n) + weightPrefer*preferScore(p, n)
	if p.group != "" && most > 0 {
		s += weightSpread * 100 * float64(most-n.groups[p.group]) / float64(most)
	}
	return s
}

// freeScore is the share of cpu and memory that stays free (NodeResourcesFit,
// LeastAllocated). As there, a container that asks for nothing counts as 100m and
// 200 MB, so that such pods spread too.
func freeScore(p *Pod, n *nodeInfo) float64 {
	const defaultCPU, defaultMemory = 100, 200 << 20
	share := func(have, used, ask int64) float64 {
		if have <= 0 {
			return 0
		}
		return max(0, float64(have-used-ask)/float64(have))
	}
	idle := int64(len(n.pods)) // pods count a little even when they ask for nothing
	cpu := share(n.allocatable.MilliCPU, max(n.requested.MilliCPU, idle*defaultCPU), max(p.Request.MilliCPU, defaultCPU))
	mem := share(n.allocatable.Memory, max(n.requested.Memory, idle*defaultMemory), max(p.Request.Memory, defaultMemory))
	return 100 * (cpu + mem) / 2
}

// taintScore prefers nodes with fewer PreferNoSchedule taints that p does not tolerate.
func taintScore(p *Pod, n *nodeInfo) float64 {
	bad := 0
	for i := range n.node.Spec.Taints {
		t := &n.node.Spec.Taints[i]
		if t.Effect == v1.TaintEffectPreferNoSchedule && !tolerates(p.spec.Tolerations, t) {
			bad++
		}
	}
	return 100 / float64(1+bad)
}

// preferScore is the share of preferred node affinity's weight that n meets.
func preferScore(p *Pod, n *nodeInfo) float64 {
	if p.spec.Affinity == nil || p.spec.Affinity.NodeAffinity == nil {
		return 0
	}
	var met, all int32
	for i := range p.spec.Affinity.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution {
		t := &p.spec.Affinity.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution[i]
		all += t.Weight
		if matchesTerm(&t.Preference, n.node) {
			met += t.Weight
		}
	}
	if all == 0 {
		return 0
	}
	return 100 * float64(met) / float64(all)
}

// tieBreak orders equal nodes differently for each pod, but always the same.
func tieBreak(p *Pod, n *nodeInfo) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(p.UID))
	_, _ = h.Write([]byte(n.node.Name))
	return h.Sum64()
}
