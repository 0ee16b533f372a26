package place

import (
	"cmp"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/placement"
)

func nodeName(s string) schemas.NodeName { return schemas.NodeName(s) }

// uidOf names a pod that is not there.
func uidOf(i, n int) types.UID { return types.UID(fmt.Sprintf("proposed-%d-%d", i, n)) }

// company tells what other pods, by being there or not, keep k's from ni.
func (k *class) company(c *Cluster, ni *nodeInfo, add against) {
	slot, name := ni.slot, ni.node.Name
	domain := func(t *tally) string { return k.shapeDomain(t, slot) }
	for i := range k.hard {
		s := &k.hard[i]
		d := s.topo.of[slot]
		if d < 0 {
			add(placement.Reason{Constraint: "PodTopologySpread", Message: "the node has no label " + s.topology}, fmt.Sprintf("label %s with %s", name, s.topology))
			continue
		}
		least := s.least
		if s.domains == 0 || s.domains < int(s.minDomains) {
			least = 0
		}
		if skew := s.dom[d] + s.self - least; skew > s.maxSkew {
			add(placement.Reason{Constraint: "PodTopologySpread", Message: fmt.Sprintf("%s=%s has %d matching pods, the emptiest of %d domains %d; one more would be a skew of %d, at most %d",
				s.topology, domain(s.tally), s.dom[d], s.domains, least, skew, s.maxSkew)}, fmt.Sprintf("make room where %s differs", s.topology))
		}
	}
	for i, t := range k.terms {
		if t.weight == 0 && k.tallyOf(i).in(slot) > 0 {
			y := k.tallyOf(i)
			add(placement.Reason{Constraint: "InterPodAffinity", Message: fmt.Sprintf("pods in %s=%s do not want it there", t.topology, domain(y)), HeldBy: c.askers(t, y.topo, slot)}, "move the pods that shun it")
		}
	}
	for i, t := range k.far {
		if t.in(slot) > 0 {
			add(placement.Reason{Constraint: "InterPodAffinity", Message: fmt.Sprintf("its anti-affinity: %d matching pods in %s=%s", t.in(slot), k.shape.anti[i].topology, domain(t)),
				HeldBy: c.matching(k.shape.anti[i].matcher, t.topo, slot)}, fmt.Sprintf("add a node with another %s", k.shape.anti[i].topology))
		}
	}
	if len(k.near) > 0 && !k.together(slot) {
		add(placement.Reason{Constraint: "InterPodAffinity", Message: "its affinity: no pod that it wants to be with is in the node's " + k.shape.affinityKeys[0]}, "start a pod that its affinity selects")
	}
}

// tallyOf returns the tally of the i-th term if that is a refusal.
func (k *class) tallyOf(i int) *tally {
	n := 0
	for _, t := range k.terms[:i] {
		if t.weight == 0 {
			n++
		}
	}
	return k.others[n]
}

func (k *class) shapeDomain(t *tally, slot int) string {
	if d := t.topo.of[slot]; d >= 0 {
		return t.topo.names[d]
	}
	return "<none>"
}

// matching names pods that m selects in slot's domain.
func (c *Cluster) matching(m *matcher, topo *topology, slot int) []placement.Holder {
	return c.name(topo, slot, func(p *Pod) bool { return m.matches(p, c.spaces) })
}

// askers names pods that have the term t in slot's domain.
func (c *Cluster) askers(t *term, topo *topology, slot int) []placement.Holder {
	return c.name(topo, slot, func(p *Pod) bool {
		return p.spec.Affinity != nil && slices.ContainsFunc(p.compiled().owned, func(o podTerm) bool {
			return o.key == t.matcher.key && o.topology == t.topology && o.weight == t.weight
		})
	})
}

// name returns the first pods in slot's domain that ok wants, by name.
func (c *Cluster) name(topo *topology, slot int, ok func(*Pod) bool) (out []placement.Holder) {
	d := topo.of[slot]
	for s, ni := range c.slots {
		if ni == nil || d < 0 || topo.of[s] != d {
			continue
		}
		for _, p := range ni.pods {
			if ok(p) {
				out = append(out, placement.Holder{Pod: p.Name, Priority: p.Priority})
			}
		}
	}
	slices.SortFunc(out, func(a, b placement.Holder) int { return cmp.Compare(a.Pod, b.Pod) })
	return out[:min(len(out), maxHolders)]
}
