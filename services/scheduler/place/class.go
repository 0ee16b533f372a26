package place

import (
	"fmt"
	"maps"
	"slices"

	v1 "k8s.io/api/core/v1"
)

// Reasons against a node, in the words of Kubernetes' scheduler.
const (
	reasonUnschedulable = "node(s) were unschedulable"
	reasonName          = "node(s) didn't match the requested node name"
	reasonAffinity      = "node(s) didn't match Pod's node affinity/selector"
	reasonFence         = "node(s) were in another topology domain than the pod group"
	reasonPorts         = "node(s) didn't have free ports for the requested pod ports"
	reasonTooManyPods   = "Too many pods"
	reasonSpread        = "node(s) didn't match pod topology spread constraints"
	reasonSpreadLabel   = "node(s) didn't match pod topology spread constraints (missing required label)"
	reasonNear          = "node(s) didn't match pod affinity rules"
	reasonFar           = "node(s) didn't match pod anti-affinity rules"
	reasonOthers        = "node(s) didn't satisfy existing pods anti-affinity rules"
)

// class is what is known of all pods that ask for the same, per slot.
type class struct {
	rep     *Pod
	shape   *shape
	scalars []v1.ResourceName
	used    uint64 // the cluster's clock

	position, epoch, rules uint64

	// closed is 0 for nodes that the pods may be on as far as the nodes' own settings
	// go, else 1 + the index of the reason. mask is what the node lacks.
	closed  []uint8
	reasons []string
	mask    []uint16
	shut    []bool    // closed or short: a plain class fits exactly where it is not shut
	local   []float32 // -Inf where shut
	rank    *ranking  // nil if nodes differ in more than local
	avoid   []int32   // taints to avoid; nil if none
	prefer  []int32   // weight of the preferred terms that match; nil without any

	hard, soft []spreadTally
	near       []*tally // one for each required affinity term
	far        []*tally
	pulls      []pull
	terms      []*term // of others, in the order of others and then in pulls
	others     []*tally
	owned      *tallied
	selfish    bool // k's pods match their own affinity terms

	// barred are slots that are shut for the sake of pods that room is kept for, while k's
	// are being placed.
	barred map[int]string

	// unfit is the answer at unfitAt, if nothing fitted.
	key     string
	unfit   *Unfit
	unfitAt uint64
	victims *victimCache
}

type spreadTally struct {
	*spread
	*tally
	weight  float32 // of soft ones
	perNode bool    // soft: the count of the node, not of the domain
}

// pull is a preferred affinity (or, negative, anti-affinity), own or of others.
type pull struct {
	*tally
	weight int64
}

const (
	hostnameLabel = v1.LabelHostname
	zoneLabel     = v1.LabelTopologyZone
	// classSlots bounds the memory of all classes: so many slots, but at least 16 classes.
	classSlots = 1 << 19
)

// class returns p's class, up to date.
func (c *Cluster) class(p *Pod) *class {
	key := p.classKey(c.looks)
	k := c.classes[key]
	if k == nil {
		c.makeRoom()
		k = &class{key: key, rep: p, shape: p.compiled(), scalars: slices.Sorted(maps.Keys(p.Request.Scalar)), epoch: c.epoch - 1}
		c.classes[key] = k
	}
	p.key = k.key // the same memory: the pod keeps it
	c.clock++
	k.used = c.clock
	k.refresh(c)
	return k
}

// makeRoom forgets the classes that were not used for longest.
func (c *Cluster) makeRoom() {
	limit := max(16, classSlots/max(1, len(c.slots)))
	if len(c.classes) < limit {
		return
	}
	keys := slices.SortedFunc(maps.Keys(c.classes), func(a, b string) int { return int(int64(c.classes[a].used) - int64(c.classes[b].used)) })
	for _, key := range keys[:max(1, len(keys)/8)] {
		c.classes[key].release(c)
		delete(c.classes, key)
	}
}

// release gives back what build took.
func (k *class) release(c *Cluster) {
	for _, list := range [][]spreadTally{k.hard, k.soft} {
		for _, s := range list {
			if s.from != k.owned {
				c.release(s.from)
			}
		}
	}
	for i, t := range k.near {
		if i == 0 {
			c.release(t.from)
		}
	}
	for _, t := range k.far {
		c.release(t.from)
	}
	for _, p := range k.pulls[:min(len(k.pulls), len(k.shape.prefer))] {
		c.release(p.from)
	}
	if k.owned != nil {
		c.owned(k.rep.group, -1)
	}
	k.hard, k.soft, k.near, k.far, k.pulls, k.terms, k.others, k.owned = nil, nil, nil, nil, nil, nil, nil, nil
}

// refresh brings k up to date with the cluster.
func (k *class) refresh(c *Cluster) {
	changed, ok := c.since(k.position)
	if k.epoch != c.epoch || !ok {
		k.build(c)
		return
	}
	if k.rules != c.rules {
		k.rules = c.rules
		if now := c.termsAbout(k.rep); !slices.Equal(now, k.terms) {
			k.setTerms(c, now)
			k.unfit = nil
		}
	}
	k.position = c.position
	for _, s := range changed {
		k.update(c, int(s))
	}
}

// update reads a slot again whose sums changed.
func (k *class) update(c *Cluster, slot int) {
	ni := c.slots[slot]
	if ni == nil {
		return // the epoch has changed with it
	}
	if k.closed[slot] == 0 {
		k.measure(c, ni)
		if k.rank != nil {
			k.rank.fix(slot)
		}
	}
	k.eachTally(func(t *tally) { t.update(slot) })
}

func (k *class) eachTally(f func(*tally)) {
	for i := range k.hard {
		f(k.hard[i].tally)
	}
	for i := range k.soft {
		f(k.soft[i].tally)
	}
	for _, list := range [][]*tally{k.near, k.far, k.others} {
		for _, t := range list {
			f(t)
		}
	}
	for i := range k.pulls {
		f(k.pulls[i].tally)
	}
}

// build reads everything.
func (k *class) build(c *Cluster) {
	k.release(c)
	n := len(c.slots)
	k.position, k.epoch, k.rules, k.unfit, k.victims = c.position, c.epoch, c.rules, nil, nil
	k.closed, k.mask, k.local, k.shut = make([]uint8, n), make([]uint16, n), make([]float32, n), make([]bool, n)
	k.reasons, k.avoid, k.prefer = nil, nil, nil
	for s, ni := range c.slots {
		if ni == nil {
			k.closed[s], k.shut[s], k.local[s] = 1, true, shutScore
			continue
		}
		if k.closed[s] = k.refuse(ni); k.closed[s] != 0 {
			k.shut[s], k.local[s] = true, shutScore
			continue
		}
		k.measure(c, ni)
		if a := avoided(k.rep.spec.Tolerations, ni.node.Spec.Taints); a > 0 {
			if k.avoid == nil {
				k.avoid = make([]int32, n)
			}
			k.avoid[s] = a
		}
		k.like(ni, n)
	}
	k.constrain(c)
}

// measure compares the sums of an open node with what k's ask for.
func (k *class) measure(c *Cluster, ni *nodeInfo) {
	s := ni.slot
	k.mask[s] = k.short(ni)
	if k.shut[s] = k.mask[s] != 0; k.shut[s] {
		k.local[s] = shutScore
		return
	}
	k.local[s] = k.localScore(c, ni)
}

// like sums the weights of the preferred node terms that ni matches.
func (k *class) like(ni *nodeInfo, n int) {
	if len(k.shape.preferred) == 0 {
		return
	}
	if k.prefer == nil {
		k.prefer = make([]int32, n)
	}
	for i := range k.shape.preferred {
		if t := &k.shape.preferred[i]; t.matches(ni.node) {
			k.prefer[ni.slot] += t.weight
		}
	}
}

// refuse checks a node's own settings. 0 is a yes.
func (k *class) refuse(ni *nodeInfo) uint8 {
	reason, spec := "", k.rep.spec
	if ni.node.Spec.Unschedulable && !tolerates(spec.Tolerations, &v1.Taint{Key: v1.TaintNodeUnschedulable, Effect: v1.TaintEffectNoSchedule}) {
		reason = reasonUnschedulable
	} else if k.rep.fence.keepsOut(ni.node) {
		reason = reasonFence
	} else if spec.NodeName != "" && spec.NodeName != ni.node.Name {
		reason = reasonName
	} else if t := untolerated(spec.Tolerations, ni.node.Spec.Taints); t != nil {
		reason = fmt.Sprintf("node(s) had untolerated taint {%s: %s}", t.Key, t.Value)
	} else if !k.shape.matchesNode(k.rep, ni.node) {
		reason = reasonAffinity
	}
	if reason == "" {
		return 0
	}
	i := slices.Index(k.reasons, reason)
	if i < 0 {
		if len(k.reasons) == 254 {
			return 255 // more different taints than anybody reads
		}
		k.reasons = append(k.reasons, reason)
		i = len(k.reasons) - 1
	}
	return uint8(i + 1)
}
