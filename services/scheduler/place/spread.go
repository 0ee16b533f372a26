package place

import "math"

// evenly tells whether k's nodes differ in nothing but their load and how many of k's
// like they have: replicas of a workload without other wishes, the usual case.
func (k *class) evenly() bool {
	return len(k.soft) > 0 && k.plain() && k.avoid == nil && k.prefer == nil && len(k.pulls) == 0
}

// bestEven is best for such classes: the same scores in few passes over flat arrays.
func (k *class) bestEven(c *Cluster) int {
	n := len(k.local)
	if cap(c.raw) < n {
		c.raw = make([]float32, n)
	}
	raw := c.raw[:n]
	clear(raw)
	for i := range k.soft {
		k.soft[i].addTo(raw)
	}
	low, high := float32(math.MaxFloat32), float32(0)
	for s, v := range raw {
		if v >= 0 && !k.shut[s] {
			low, high = min(low, v), max(high, v)
		}
	}
	base, slope := float32(weightSpread*100), float32(0)
	if high > 0 {
		base, slope = weightSpread*100*(high+low)/high, -weightSpread*100/high
	}
	best, bestScore := -1, shutScore
	for s, score := range k.local[:len(raw)] {
		if v := raw[s]; v >= 0 {
			score += base + slope*v
		}
		if score > bestScore || score == bestScore && best >= 0 && c.ties[s] > c.ties[best] {
			best, bestScore = s, score
		}
	}
	if best >= 0 {
		c.chosen.scale, c.chosen.crowd = scale{spread: true, spreadMin: low, spreadMax: high}, raw[best]
	}
	return best
}

// addTo adds how crowded each slot is by s; a slot that a constraint of the pod's own
// does not count becomes -Inf.
func (s *spreadTally) addTo(raw []float32) {
	missing := float32(0)
	if s.matcher != nil {
		missing = shutScore
	}
	weight, base, of, dom, node := s.weight, float32(s.maxSkew-1), s.topo.of[:len(raw)], s.dom, s.tally.node[:len(raw)]
	if s.perNode {
		for i, d := range of {
			if d < 0 {
				raw[i] += missing
				continue
			}
			raw[i] += float32(max(0, node[i]))*weight + base
		}
		return
	}
	for i, d := range of {
		if d < 0 {
			raw[i] += missing
			continue
		}
		raw[i] += float32(dom[d])*weight + base
	}
}
