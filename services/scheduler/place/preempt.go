package place

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/skerry/skerry/schemas"
)

// Budget is a PodDisruptionBudget: how many of its pods may go just now.
type Budget struct {
	Namespace, Name string
	Selector        labels.Selector
	Allowed         int32
	// Going are pods whose eviction was counted already.
	Going map[string]bool
}

// SetBudget adds or replaces a budget.
func (c *Cluster) SetBudget(b *Budget) {
	c.budgets[b.Namespace+"/"+b.Name] = b
	c.forgetVictims()
}

// RemoveBudget removes one.
func (c *Cluster) RemoveBudget(namespace, name string) {
	delete(c.budgets, namespace+"/"+name)
	c.forgetVictims()
}

func (c *Cluster) forgetVictims() {
	for _, k := range c.classes {
		k.victims = nil
	}
}

// Preemption is what it takes to make room for a pod: these pods leave this node.
type Preemption struct {
	Node    schemas.NodeName
	Victims []*Pod
	// Violations is how many of them their PodDisruptionBudgets do not allow to go.
	Violations int
}

const (
	unhelpful = "Preemption is not helpful for scheduling"
	noVictims = "No preemption victims found for incoming pod"
)

// Preempt finds the node where making room for p, which fits nowhere, does the least
// harm. Without one it tells why not, in Kubernetes' words.
func (c *Cluster) Preempt(p *Pod) (*Preemption, string) {
	if p.spec.PreemptionPolicy != nil && *p.spec.PreemptionPolicy == v1.PreemptNever {
		return nil, "not eligible due to preemptionPolicy=Never."
	}
	if c.Waits(p) {
		return nil, "not eligible due to a terminating pod on the nominated node."
	}
	if was, ok := c.nominated[p.UID]; ok {
		c.Unnominate(p.UID) // its own room is not in its way
		defer c.Nominate(was.pod, was.node)
	}
	k := c.class(p)
	if k.victims == nil {
		k.victims = &victimCache{at: make([]cost, len(c.slots)), position: 0, stale: true}
	}
	best, reasons := k.cheapest(c)
	if best < 0 {
		return nil, fmt.Sprintf("0/%d nodes are available: %s.", len(c.byName), counted(reasons))
	}
	victims, violations, _ := k.victimsOn(c, c.slots[best])
	return &Preemption{Node: schemas.NodeName(c.slots[best].node.Name), Victims: victims, Violations: violations}, ""
}

// Waits tells whether room is being made for p already.
func (c *Cluster) Waits(p *Pod) bool {
	n, ok := c.nominated[p.UID]
	if !ok || c.byName[n.node] == nil {
		return false
	}
	for _, other := range c.byName[n.node].pods {
		if other.Terminating && other.Priority < p.Priority {
			return true
		}
	}
	return false
}

// cost is what making room on a node would cost, for comparing.
type cost struct {
	state      int8 // 0 not computed, 1 possible, -1 not
	violations int32
	highest    int32
	sum        int64
	count      int32
	start      int64 // the earliest start of the victims of the highest priority
}

// less tells whether a is better than b: fewest violations, then the lowest highest
// priority, the smallest sum of priorities, the fewest victims, the latest start.
func (a *cost) less(b *cost) int {
	return cmp.Or(cmp.Compare(a.violations, b.violations), cmp.Compare(a.highest, b.highest),
		cmp.Compare(a.sum, b.sum), cmp.Compare(a.count, b.count), cmp.Compare(b.start, a.start))
}

// victimCache keeps each node's cost until the node changes.
type victimCache struct {
	at       []cost
	position uint64
	stale    bool
}

// candidates is how many nodes are tried where trying one means taking its pods out
// of all counts: Kubernetes' default, a tenth but at least 100.
func candidates(nodes int) int { return max(nodes/10, 100) }

// byTie returns the slots in the order of their ties: one that does not depend on the
// order in which nodes came.
func (c *Cluster) byTie() []int32 {
	if c.orderAt != c.epoch || len(c.order) != len(c.slots) {
		c.order = c.order[:0]
		for s := range c.slots {
			c.order = append(c.order, int32(s))
		}
		slices.SortFunc(c.order, func(a, b int32) int { return cmp.Compare(c.ties[a], c.ties[b]) })
		c.orderAt = c.epoch
	}
	return c.order
}

// cheapest returns the best slot, or -1 and how many nodes there are for each reason.
func (k *class) cheapest(c *Cluster) (int, map[string]int) {
	v := k.victims
	// What it costs on one node follows from that node alone, unless others count too.
	alone := k.plain() && len(k.nominees(c)) == 0
	if changed, ok := c.since(v.position); !ok || v.stale || !alone {
		clear(v.at)
	} else {
		for _, s := range changed {
			v.at[s] = cost{}
		}
	}
	limit := math.MaxInt
	if !alone {
		limit = candidates(len(c.byName))
	}
	best, reasons := -1, map[string]int{}
	for _, slot := range c.byTie() {
		s := int(slot)
		if limit == 0 {
			break
		}
		if c.slots[s] == nil {
			continue
		}
		if !k.helpful(s) {
			reasons[unhelpful]++
			continue
		}
		if v.at[s].state == 0 {
			v.at[s] = k.costOf(c, c.slots[s])
		}
		if v.at[s].state < 0 {
			reasons[noVictims]++
			continue
		}
		limit--
		if best >= 0 {
			if v.at[s].less(&v.at[best]) >= 0 {
				continue
			}
		}
		best = s
	}
	v.stale, v.position = !alone, c.position
	return best, reasons
}

// helpful tells whether fewer pods on a node could make a pod fit there.
func (k *class) helpful(slot int) bool {
	if k.closed[slot] != 0 {
		return false
	}
	for i := range k.hard {
		if k.hard[i].topo.of[slot] < 0 {
			return false
		}
	}
	return len(k.near) == 0 || k.together(slot)
}

func (k *class) costOf(c *Cluster, ni *nodeInfo) cost {
	victims, violations, ok := k.victimsOn(c, ni)
	if !ok {
		return cost{state: -1}
	}
	out := cost{state: 1, violations: int32(violations), highest: math.MinInt32, count: int32(len(victims)), start: math.MaxInt64}
	for _, p := range victims {
		out.sum += int64(p.Priority) + math.MaxInt32 + 1
		switch {
		case p.Priority > out.highest:
			out.highest, out.start = p.Priority, p.Start
		case p.Priority == out.highest:
			out.start = min(out.start, p.Start)
		}
	}
	return out
}

// victimsOn returns the fewest pods of lower priority that must leave ni for one of
// k's: all are taken out, and as many as possible put back, those first whose budgets
// do not allow them to go, then the most important.
func (k *class) victimsOn(c *Cluster, ni *nodeInfo) (victims []*Pod, violations int, ok bool) {
	var lower []*Pod
	for _, p := range ni.pods {
		if p.Priority < k.rep.Priority {
			lower = append(lower, p)
		}
	}
	if len(lower) == 0 {
		return nil, 0, false
	}
	slices.SortFunc(lower, moreImportant)
	violating, others := c.violating(lower)
	t := k.trial(c, ni)
	defer t.end()
	for _, p := range lower {
		t.take(p)
	}
	if !t.fits() {
		return nil, 0, false
	}
	for i, p := range append(violating, others...) {
		if t.put(p); t.fits() {
			continue
		}
		t.take(p)
		victims = append(victims, p)
		if i < len(violating) {
			violations++
		}
	}
	slices.SortFunc(victims, moreImportant)
	return victims, violations, len(victims) > 0
}

// moreImportant orders pods: higher priority, then longer running, then by name.
func moreImportant(a, b *Pod) int {
	return cmp.Or(cmp.Compare(b.Priority, a.Priority), cmp.Compare(a.Start, b.Start), cmp.Compare(a.Name, b.Name))
}

// violating splits pods, which are in order of importance, into those that a budget does
// not allow to go when those before them have gone, and the others.
func (c *Cluster) violating(pods []*Pod) (yes, no []*Pod) {
	if len(c.budgets) == 0 {
		return nil, pods
	}
	used := map[*Budget]int32{}
	for _, p := range pods {
		breaks := false
		for _, b := range c.budgetsOf(p) {
			if b.Going[podName(p)] {
				continue
			}
			if used[b]++; used[b] > b.Allowed {
				breaks = true
			}
		}
		if breaks {
			yes = append(yes, p)
		} else {
			no = append(no, p)
		}
	}
	return yes, no
}

// budgetsOf returns the budgets that p is under, by name.
func (c *Cluster) budgetsOf(p *Pod) (out []*Budget) {
	for _, b := range c.budgets {
		if b.Namespace == p.Namespace && b.Selector.Matches(p.labels) {
			out = append(out, b)
		}
	}
	slices.SortFunc(out, func(a, b *Budget) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

func podName(p *Pod) string { return p.Ref().Name }
