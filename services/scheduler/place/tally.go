package place

import "math"

// tally is what a class knows of some pods per node and per domain: a dense copy of a
// tallied, over the nodes that count for the class.
type tally struct {
	from  *tallied
	topo  *topology
	node  []int32
	dom   []int32 // pods per domain; of nodes that count
	nodes []int32 // nodes that count per domain
	total int64   // over dom

	domains int   // with nodes that count
	least   int32 // the smallest of dom over those
	atLeast int   // domains that have it
}

// newTally counts from over all slots; counts tells which nodes count (nil: all).
func newTally(c *Cluster, from *tallied, topo *topology, counts func(slot int) bool) *tally {
	t := &tally{from: from, topo: topo, node: make([]int32, len(c.slots))}
	t.dom, t.nodes = make([]int32, len(topo.names)), make([]int32, len(topo.names))
	for s, d := range topo.of[:len(c.slots)] { // of a slot without a node it is -1
		if counts != nil && c.slots[s] != nil && !counts(s) {
			t.node[s] = -1
			continue
		}
		if d >= 0 {
			if t.nodes[d]++; t.nodes[d] == 1 {
				t.domains++
			}
		}
	}
	for s, n := range from.at {
		t.set(int(s), n)
	}
	t.findLeast()
	return t
}

// update reads slot again.
func (t *tally) update(slot int) { t.set(slot, t.from.count(slot)) }

func (t *tally) set(slot int, n int32) {
	was := t.node[slot]
	if was < 0 || was == n {
		return
	}
	t.node[slot] = n
	d := t.topo.of[slot]
	if d < 0 {
		return
	}
	before := t.dom[d]
	t.dom[d] += n - was
	t.total += int64(n - was)
	switch after := t.dom[d]; {
	case t.domains == 0 || t.atLeast == 0: // not known yet
	case after < t.least:
		t.least, t.atLeast = after, 1
	case before == t.least && after > before:
		if t.atLeast--; t.atLeast == 0 {
			t.findLeast()
		}
	case after == t.least && before > after:
		t.atLeast++
	}
}

func (t *tally) findLeast() {
	t.least, t.atLeast = math.MaxInt32, 0
	for d, n := range t.dom {
		switch {
		case t.nodes[d] == 0:
		case n < t.least:
			t.least, t.atLeast = n, 1
		case n == t.least:
			t.atLeast++
		}
	}
}

// in is the count of slot's domain; 0 without one.
func (t *tally) in(slot int) int32 {
	if d := t.topo.of[slot]; d >= 0 {
		return t.dom[d]
	}
	return 0
}
