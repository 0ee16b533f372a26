package place

import (
	"maps"
	"slices"
)

// trial tries what would fit on a node with other pods on it. Everything is as it was
// at its end.
type trial struct {
	c    *Cluster
	k    *class
	node *nodeInfo
	// light trials touch a copy of the node; the others the whole cluster, because the
	// class counts pods elsewhere too.
	light bool
	copy  nodeInfo
	gone  map[*Pod]bool
	// nominees are pods that room is kept for and that k's have to get along with.
	nominees []placed
}

func (k *class) trial(c *Cluster, ni *nodeInfo) *trial {
	t := &trial{c: c, k: k, node: ni, gone: map[*Pod]bool{}, nominees: k.nominees(c)}
	t.light = k.plain() && len(t.nominees) == 0
	if t.light {
		t.copy = *ni
		t.copy.requested.Scalar = maps.Clone(ni.requested.Scalar)
		t.copy.ports = slices.Clone(ni.ports)
	}
	return t
}

func (t *trial) take(p *Pod) {
	t.gone[p] = true
	if t.light {
		t.copy.sum(p, -1)
		return
	}
	t.c.leave(p, t.node)
}

func (t *trial) put(p *Pod) {
	delete(t.gone, p)
	if t.light {
		t.copy.sum(p, 1)
		return
	}
	t.c.land(p, t.node)
}

func (t *trial) fits() bool {
	if t.light {
		return t.k.short(&t.copy) == 0
	}
	t.k.refresh(t.c)
	return t.k.fits(t.node.slot) && t.k.along(t.c, t.nominees, t.node.slot)
}

func (t *trial) end() {
	for p := range t.gone {
		t.put(p)
	}
	if !t.light {
		t.k.refresh(t.c)
	}
}
