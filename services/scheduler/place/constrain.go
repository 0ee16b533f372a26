package place

import (
	"math"
	"slices"
)

// constrain sets up what depends on other pods.
func (k *class) constrain(c *Cluster) {
	sh := k.shape
	for i := range sh.hard {
		s := &sh.hard[i]
		k.hard = append(k.hard, spreadTally{spread: s, tally: newTally(c, c.counter(s.matcher), c.topology(s.topology), k.counting(c, s, sh.hard))})
	}
	for i := range sh.soft {
		s := &sh.soft[i]
		k.soft = append(k.soft, k.softTally(c, s, c.counter(s.matcher), sh.soft))
	}
	if k.rep.group != "" {
		k.owned = c.owned(k.rep.group, 1)
		if len(sh.hard)+len(sh.soft) == 0 {
			for i := range systemSpread {
				if s := &systemSpread[i]; s.topology == hostnameLabel || c.labelled(s.topology) {
					k.soft = append(k.soft, k.softTally(c, s, k.owned, nil))
				}
			}
		}
	}
	if sh.affinity != nil {
		k.selfish = sh.affinity.matches(k.rep, c.spaces)
		from := c.counter(sh.affinity)
		for _, key := range sh.affinityKeys {
			k.near = append(k.near, newTally(c, from, c.topology(key), nil))
		}
	}
	for _, t := range sh.anti {
		k.far = append(k.far, newTally(c, c.counter(t.matcher), c.topology(t.topology), nil))
	}
	for _, t := range sh.prefer {
		k.pulls = append(k.pulls, pull{newTally(c, c.counter(t.matcher), c.topology(t.topology), nil), int64(t.weight)})
	}
	k.setTerms(c, c.termsAbout(k.rep))
}

// systemSpread are the constraints of pods that name none: Kubernetes' system defaults.
// They count an owner's pods.
var systemSpread = []spread{
	{topology: hostnameLabel, maxSkew: 3, honourLabels: true},
	{topology: zoneLabel, maxSkew: 5, honourLabels: true},
}

// labelled tells whether any node has the label.
func (c *Cluster) labelled(key string) bool {
	return slices.ContainsFunc(c.topology(key).of, func(d int32) bool { return d >= 0 })
}

// setTerms takes in the terms of placed pods that are about k's.
func (k *class) setTerms(c *Cluster, terms []*term) {
	k.terms, k.others = terms, nil
	k.pulls = k.pulls[:len(k.shape.prefer):len(k.shape.prefer)]
	for _, t := range terms {
		y := newTally(c, &t.tallied, c.topology(t.topology), nil)
		if t.weight == 0 {
			k.others = append(k.others, y)
		} else {
			k.pulls = append(k.pulls, pull{y, int64(t.weight)})
		}
	}
	k.rank = nil
	if k.plain() && k.avoid == nil && k.prefer == nil && len(k.soft)+len(k.pulls) == 0 {
		k.rank = newRanking(k.local, c.ties)
	}
}

// counting tells which nodes count for a spread constraint: those that have every
// topology key of its kind, and that the policies let count. nil is all with its own key.
func (k *class) counting(c *Cluster, s *spread, all []spread) func(slot int) bool {
	if len(all) < 2 && !s.honourTaints && !(s.honourLabels && k.shape.choosy(k.rep)) {
		return nil
	}
	var topologies []*topology
	for i := range all {
		topologies = append(topologies, c.topology(all[i].topology))
	}
	return func(slot int) bool {
		for _, t := range topologies {
			if t.of[slot] < 0 {
				return false
			}
		}
		n := c.slots[slot].node
		if s.honourLabels && !k.shape.matchesNode(k.rep, n) {
			return false
		}
		return !s.honourTaints || untolerated(k.rep.spec.Tolerations, n.Spec.Taints) == nil
	}
}

// softTally is a constraint that scores. The more domains there are the more a pod in
// one weighs, as in Kubernetes.
func (k *class) softTally(c *Cluster, s *spread, from *tallied, all []spread) spreadTally {
	topo := c.topology(s.topology)
	y := newTally(c, from, topo, k.counting(c, s, all))
	out := spreadTally{spread: s, tally: y, perNode: s.topology == hostnameLabel}
	domains := 0
	open := make([]bool, len(topo.names))
	for slot, d := range topo.of {
		if slot >= len(k.closed) || k.closed[slot] != 0 || d < 0 {
			continue
		}
		if out.perNode || !open[d] {
			domains++
		}
		open[d] = true
	}
	out.weight = float32(math.Log(float64(domains + 2)))
	return out
}

// crossed is why other pods keep k's from a slot that is not shut; "" is a yes.
func (k *class) crossed(slot int) string {
	for i := range k.hard {
		s := &k.hard[i]
		d := s.topo.of[slot]
		if d < 0 {
			return reasonSpreadLabel
		}
		least := s.least
		if s.domains == 0 || s.domains < int(s.minDomains) {
			least = 0
		}
		if s.dom[d]+s.self-least > s.maxSkew {
			return reasonSpread
		}
	}
	for _, t := range k.others {
		if t.in(slot) > 0 {
			return reasonOthers
		}
	}
	for _, t := range k.far {
		if t.in(slot) > 0 {
			return reasonFar
		}
	}
	if len(k.near) > 0 && !k.together(slot) {
		return reasonNear
	}
	return ""
}

// together checks the required affinity. The first pod of a group that wants to be
// together has nobody to join: it may go wherever the topology keys are.
func (k *class) together(slot int) bool {
	all, any := true, false
	for _, t := range k.near {
		if t.topo.of[slot] < 0 {
			return false
		}
		all = all && t.in(slot) > 0
		any = any || t.total > 0
	}
	return all || !any && k.selfish
}

// plain tells whether other pods are nothing but load for k's.
func (k *class) plain() bool {
	return len(k.hard)+len(k.others)+len(k.far)+len(k.near) == 0
}
