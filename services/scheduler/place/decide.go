package place

import (
	"fmt"
	"math"
	"sort"
	"strings"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/placement"
)

// Unfit says why a pod fits nowhere.
type Unfit struct {
	Nodes   int            // how many nodes there are
	Reasons map[string]int // reason → nodes that it refused
	// Preemption is why no other pod makes room; "" if nobody looked.
	Preemption string
}

// Error renders it as Kubernetes does: "0/3 nodes are available: 1 Too many pods,
// 2 Insufficient cpu.".
func (u *Unfit) Error() string {
	if u.Nodes == 0 {
		return "no nodes available to schedule pods"
	}
	out := fmt.Sprintf("0/%d nodes are available: %s.", u.Nodes, counted(u.Reasons))
	if u.Preemption != "" {
		out += " preemption: " + u.Preemption
	}
	return out
}

func counted(reasons map[string]int) string {
	parts := make([]string, 0, len(reasons))
	for r, n := range reasons {
		parts = append(parts, fmt.Sprintf("%d %s", n, r))
	}
	sort.Strings(parts)
	return strings.Join(parts, ", ")
}

// Decide returns the node that p should run on, or an *Unfit. It does not place
// it: SetPod does. A pod that room is kept for gets that room if it is enough.
func (c *Cluster) Decide(p *Pod) (schemas.NodeName, error) {
	c.chosen = chosen{}
	if was, ok := c.nominated[p.UID]; ok {
		c.Unnominate(p.UID)
		k := c.class(p)
		if ni := c.byName[was.node]; ni != nil && k.fits(ni.slot) && k.along(c, k.nominees(c), ni.slot) {
			return was.node, nil
		}
		defer c.Nominate(was.pod, was.node)
	}
	k := c.class(p)
	if k.unfit != nil && k.unfitAt == c.position {
		return "", k.unfit
	}
	k.bar(c)
	defer k.unbar(c)
	best := k.best(c)
	c.chosen.class, c.chosen.slot = k, best
	if best < 0 {
		c.chosen.class = nil
		k.unfit, k.unfitAt = k.explain(c), c.position
		return "", k.unfit
	}
	return schemas.NodeName(c.slots[best].node.Name), nil
}

// Scores is what the node scored that the last Decide chose; nil if it chose none, or one
// where room was kept. To be asked before the cluster changes.
func (c *Cluster) Scores() *placement.Score {
	k := c.chosen.class
	if k == nil {
		return nil
	}
	return k.score(c, c.chosen.slot, &c.chosen.scale, c.chosen.crowd)
}

// Fits tells whether p may be on node, as an *Unfit about that node alone if not.
func (c *Cluster) Fits(p *Pod, node schemas.NodeName) error {
	if was, ok := c.nominated[p.UID]; ok {
		c.Unnominate(p.UID)
		defer c.Nominate(was.pod, was.node)
	}
	ni := c.byName[node]
	if ni == nil {
		return fmt.Errorf("find node %s: it is not there", node)
	}
	k := c.class(p)
	if k.fits(ni.slot) && k.along(c, k.nominees(c), ni.slot) {
		return nil
	}
	u := &Unfit{Nodes: 1, Reasons: map[string]int{}}
	for _, r := range k.against(c, ni).Refused {
		u.Reasons[r.Message]++
	}
	return u
}

func (k *class) fits(slot int) bool { return !k.shut[slot] && k.crossed(slot) == "" }

// best returns the slot that scores highest, or -1.
func (k *class) best(c *Cluster) int {
	if k.rank != nil {
		return k.rank.best()
	}
	if k.evenly() {
		return k.bestEven(c)
	}
	c.chosen.scale = k.survey(c)
	best, bestScore := -1, shutScore
	for i, s := range c.feasible {
		if score := c.total[i]; score > bestScore || score == bestScore && best >= 0 && c.ties[s] > c.ties[best] {
			best, bestScore = int(s), score
			if len(k.soft) > 0 {
				c.chosen.crowd = c.raw[i]
			}
		}
	}
	return best
}

// survey leaves the nodes that fit in c.feasible and their scores in c.total, and
// returns what the scores are relative to.
func (k *class) survey(c *Cluster) scale {
	feasible := c.feasible[:0]
	if k.plain() {
		for s, shut := range k.shut {
			if !shut {
				feasible = append(feasible, int32(s))
			}
		}
	} else {
		for s, shut := range k.shut {
			if !shut && k.crossed(s) == "" {
				feasible = append(feasible, int32(s))
			}
		}
	}
	c.feasible = feasible
	total := c.total[:0]
	for _, s := range feasible {
		total = append(total, k.local[s])
	}
	c.total = total
	z := scale{spread: len(k.soft) > 0, pull: len(k.pulls) > 0}
	k.addNodes(c, &z)
	if z.spread {
		k.addSpread(c, &z)
	}
	if z.pull {
		k.addPull(c, &z)
	}
	return z
}

// addNodes adds what the nodes' taints and labels count for.
func (k *class) addNodes(c *Cluster, z *scale) {
	if k.avoid != nil {
		for _, s := range c.feasible {
			z.avoid = max(z.avoid, k.avoid[s])
		}
		for i, s := range c.feasible {
			c.total[i] += weightTaint * z.taint(k.avoid[s])
		}
	}
	if k.prefer != nil {
		for _, s := range c.feasible {
			z.prefer = max(z.prefer, k.prefer[s])
		}
		for i, s := range c.feasible {
			c.total[i] += weightPrefer * z.like(k.prefer[s])
		}
	}
}

// addSpread adds how little crowded the nodes are.
func (k *class) addSpread(c *Cluster, z *scale) {
	raw := k.spreadRaw(c)
	z.spreadMin, z.spreadMax = math.MaxFloat32, 0
	for _, v := range raw {
		if v >= 0 {
			z.spreadMin, z.spreadMax = min(z.spreadMin, v), max(z.spreadMax, v)
		}
	}
	for i, v := range raw {
		c.total[i] += weightSpread * z.even(v)
	}
}

// addPull adds how much pods draw to the nodes.
func (k *class) addPull(c *Cluster, z *scale) {
	z.pullMin, z.pullMax = math.MaxInt64, math.MinInt64
	for _, s := range c.feasible {
		v := k.pullRaw(int(s))
		z.pullMin, z.pullMax = min(z.pullMin, v), max(z.pullMax, v)
	}
	for i, s := range c.feasible {
		c.total[i] += weightPull * z.drawn(k.pullRaw(int(s)))
	}
}

// explain counts the reasons against every node.
func (k *class) explain(c *Cluster) *Unfit {
	u := &Unfit{Nodes: len(c.byName), Reasons: map[string]int{}}
	closed, masks := map[uint8]int{}, map[uint16]int{}
	for s, ni := range c.slots {
		switch {
		case ni == nil:
		case k.closed[s] != 0:
			closed[k.closed[s]]++
		case k.mask[s] != 0:
			masks[k.mask[s]]++
		default:
			why := k.crossed(s)
			if why == "" {
				why = k.barred[s]
			}
			if why != "" {
				u.Reasons[why]++
			}
		}
	}
	for code, n := range closed {
		u.Reasons[k.reason(code)] += n
	}
	for mask, n := range masks {
		for _, why := range k.shortages(mask) {
			u.Reasons[why] += n
		}
	}
	return u
}

func (k *class) reason(code uint8) string {
	if int(code) > len(k.reasons) {
		return "node(s) had untolerated taints"
	}
	return k.reasons[code-1]
}

// shortages names what mask says.
func (k *class) shortages(mask uint16) (out []string) {
	named := []struct {
		bit  uint16
		name string
	}{
		{shortPods, reasonTooManyPods}, {shortCPU, "Insufficient cpu"}, {shortMemory, "Insufficient memory"},
		{shortEphemeral, "Insufficient ephemeral-storage"}, {shortPorts, reasonPorts},
	}
	for _, n := range named {
		if mask&n.bit != 0 {
			out = append(out, n.name)
		}
	}
	for i, name := range k.scalars {
		if mask&(1<<min(firstScalar+i, lastScalar)) != 0 {
			out = append(out, "Insufficient "+string(name))
		}
	}
	return out
}
