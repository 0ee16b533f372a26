package place

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/skerry/skerry/schemas"
)

// Move is a pod that would better be elsewhere.
type Move struct {
	Pod      *Pod
	From, To schemas.NodeName
	Why      string
}

const (
	// moveLooks bounds how many pods one call looks at, and moveShare how much emptier,
	// as a share of the node, the other node must still be after the move: so much
	// that no move is ever worth undoing.
	moveLooks = 2000
	moveShare = 0.2
	// systemPriority and above is not moved for the sake of balance.
	systemPriority = 2_000_000_000
)

// Moves returns at most limit moves that make the cluster more even, each on top of
// those before it: pods whose like are crowded go where fewer of them are, and pods go
// from full nodes to much emptier ones. Only pods whose owner makes them again are
// moved. The cluster is as it was afterwards. movable says which pods may move at all.
func (c *Cluster) Moves(limit int, movable func(*Pod) bool) (moves []Move) {
	looks := 0
	for _, ni := range c.byLoad() {
		pods := make([]*Pod, 0, len(ni.pods))
		for _, p := range ni.pods {
			if p.group != "" && !p.Terminating && p.Priority < systemPriority && c.spared(p) && movable(p) {
				pods = append(pods, p)
			}
		}
		// The least important first.
		slices.SortFunc(pods, func(a, b *Pod) int { return moreImportant(b, a) })
		for _, p := range pods {
			if looks++; looks > moveLooks || len(moves) == limit {
				break
			}
			if m, ok := c.move(p, ni); ok {
				moves = append(moves, m)
				c.SetPod(p, m.To)
			}
		}
	}
	for _, m := range slices.Backward(moves) {
		c.SetPod(m.Pod, m.From)
	}
	return moves
}

// spared tells whether p's budgets let it go just now.
func (c *Cluster) spared(p *Pod) bool {
	return !slices.ContainsFunc(c.budgetsOf(p), func(b *Budget) bool { return b.Allowed <= 0 || b.Going[podName(p)] })
}

// byLoad returns the nodes, the fullest first.
func (c *Cluster) byLoad() []*nodeInfo {
	nodes := make([]*nodeInfo, 0, len(c.byName))
	for _, ni := range c.byName {
		nodes = append(nodes, ni)
	}
	slices.SortFunc(nodes, func(a, b *nodeInfo) int {
		return cmp.Or(cmp.Compare(b.load(), a.load()), cmp.Compare(a.node.Name, b.node.Name))
	})
	return nodes
}

// load is how full a node is: the fuller of cpu and memory, from 0 to 1.
func (n *nodeInfo) load() float64 {
	share := func(used, have int64) float64 {
		if have <= 0 {
			return 1
		}
		return float64(used) / float64(have)
	}
	return max(share(n.requested.MilliCPU, n.allocatable.MilliCPU), share(n.requested.Memory, n.allocatable.Memory))
}

// move looks where p would go if it came now, and whether that is worth it.
func (c *Cluster) move(p *Pod, from *nodeInfo) (Move, bool) {
	asks, own, spec := *p, *p.traits, *p.spec
	spec.NodeName = "" // where it is, not what it asks for
	own.spec = &spec
	asks.traits, asks.looks, asks.shape = &own, nil, nil
	before := from.load()
	name := schemas.NodeName(from.node.Name)
	c.RemovePod(p.UID)
	defer c.SetPod(p, name)
	to, err := c.Decide(&asks)
	if err != nil || to == name {
		return Move{}, false
	}
	m := Move{Pod: p, From: name, To: to}
	k, slot := c.class(&asks), c.byName[to].slot
	spread := slices.Concat(k.hard, k.soft)
	for i := range spread {
		s := &spread[i]
		here, there := s.in(from.slot), s.in(slot)
		if s.perNode {
			here, there = max(0, s.tally.node[from.slot]), max(0, s.tally.node[slot])
		}
		if s.topo.of[from.slot] >= 0 && here < there {
			return Move{}, false // worse by this constraint, which would want it back
		}
		// One counts p itself; after the move the two are at least as even.
		if d := here + 1 - there; d >= 2 && d > s.maxSkew && m.Why == "" {
			m.Why = fmt.Sprintf("%d of its kind are in its %s, %d in that of %s", here+1, s.topology, there, to)
		}
	}
	if m.Why != "" {
		return m, true
	}
	c.SetPod(p, to)
	after := c.byName[to].load()
	c.RemovePod(p.UID)
	if !c.policy.Pack && before-after >= moveShare {
		m.Why = fmt.Sprintf("%s is %.0f%% full, %s would be %.0f%%", name, math.Round(100*before), to, math.Round(100*after))
		return m, true
	}
	return Move{}, false
}
