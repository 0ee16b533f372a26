package place

import (
	"cmp"
	"slices"

	"k8s.io/apimachinery/pkg/types"
)

// topology is the nodes' values of one label.
type topology struct {
	of    []int32 // by slot; -1 without the label
	ids   map[string]int32
	names []string
}

// topology returns the domains of a label key, kept up from its first use on.
func (c *Cluster) topology(key string) *topology {
	t := c.topologies[key]
	if t == nil {
		t = &topology{ids: map[string]int32{}}
		c.topologies[key] = t
		for _, ni := range c.slots {
			if ni != nil {
				v, ok := ni.node.Labels[key]
				t.set(ni.slot, v, ok)
			}
		}
	}
	for len(t.of) < len(c.slots) {
		t.of = append(t.of, -1)
	}
	return t
}

func (c *Cluster) setTopologies(ni *nodeInfo) {
	for key, t := range c.topologies {
		v, ok := ni.node.Labels[key]
		t.set(ni.slot, v, ok)
	}
}

func (t *topology) set(slot int, value string, ok bool) {
	for len(t.of) <= slot {
		t.of = append(t.of, -1)
	}
	if !ok {
		t.of[slot] = -1
		return
	}
	id, known := t.ids[value]
	if !known {
		id = int32(len(t.names))
		t.ids[value] = id
		t.names = append(t.names, value)
	}
	t.of[slot] = id
}

// tallied counts some pods per slot.
type tallied struct {
	matcher *matcher // nil for an owner's pods
	at      map[int32]int32
	refs    int // classes that read it; of an owner's: pods
}

func (t *tallied) count(slot int) int32 { return t.at[int32(slot)] }

func (t *tallied) add(slot int, by int32) {
	if t.at[int32(slot)] += by; t.at[int32(slot)] == 0 {
		delete(t.at, int32(slot))
	}
}

// term is what placed pods ask of others in their domain: the pods that matcher
// selects are not wanted there (weight 0), or liked or disliked. It counts the pods
// that ask.
type term struct {
	tallied
	topology string
	weight   int32
}

type termKey struct {
	matcher, topology string
	weight            int32
}

// listeners are who is told of a pod that one of their matchers may select.
type listeners struct {
	counters []*tallied
	terms    []*term
}

// count adds or takes away a pod on ni everywhere it is counted.
func (c *Cluster) count(p *Pod, ni *nodeInfo, by int32) {
	c.countOwned(p, ni, by)
	lookups(p, func(k indexKey) {
		l := c.index[k]
		if l == nil {
			return
		}
		for _, t := range l.counters {
			if t.matcher.matches(p, c.spaces) {
				t.add(ni.slot, by)
			}
		}
	})
	if p.spec.Affinity == nil || p.spec.Affinity.PodAffinity == nil && p.spec.Affinity.PodAntiAffinity == nil {
		return
	}
	for _, t := range p.compiled().owned {
		c.countTerm(t, ni, by)
	}
}

func (c *Cluster) countOwned(p *Pod, ni *nodeInfo, by int32) {
	if p.group == "" || p.Terminating {
		return
	}
	g := c.owned(p.group, int(by))
	g.add(ni.slot, by)
}

// owned returns the count of an owner's pods, and changes how many refer to it: it is
// forgotten with the last.
func (c *Cluster) owned(owner types.UID, by int) *tallied {
	g := c.groups[owner]
	if g == nil {
		g = &tallied{at: map[int32]int32{}}
		c.groups[owner] = g
	}
	if g.refs += by; g.refs == 0 {
		delete(c.groups, owner)
	}
	return g
}

func (c *Cluster) countTerm(t podTerm, ni *nodeInfo, by int32) {
	key := termKey{t.key, t.topology, t.weight}
	have := c.terms[key]
	if have == nil {
		have = &term{tallied: tallied{matcher: t.matcher, at: map[int32]int32{}}, topology: t.topology, weight: t.weight}
		c.terms[key] = have
		c.lookAt(t.matcher)
		for _, k := range t.index {
			l := c.listen(k)
			l.terms = append(l.terms, have)
		}
		c.rules++
	}
	have.add(ni.slot, by)
	if have.refs += int(by); have.refs == 0 {
		delete(c.terms, key)
		for _, k := range t.index {
			l := c.index[k]
			l.terms = slices.DeleteFunc(l.terms, func(o *term) bool { return o == have })
			c.unlisten(k, l)
		}
		c.rules++
	}
}

func (c *Cluster) listen(k indexKey) *listeners {
	l := c.index[k]
	if l == nil {
		l = &listeners{}
		c.index[k] = l
	}
	return l
}

func (c *Cluster) unlisten(k indexKey, l *listeners) {
	if len(l.counters)+len(l.terms) == 0 {
		delete(c.index, k)
	}
}

// counter returns the count of the pods that m selects, made at its first use; release
// gives it back.
func (c *Cluster) counter(m *matcher) *tallied {
	t := c.counters[m.key]
	if t == nil {
		t = &tallied{matcher: m, at: map[int32]int32{}}
		c.counters[m.key] = t
		for _, k := range m.index {
			l := c.listen(k)
			l.counters = append(l.counters, t)
		}
		c.fill(t)
	}
	t.refs++
	return t
}

// fill counts from scratch.
func (c *Cluster) fill(t *tallied) {
	clear(t.at)
	in := func(ns string) {
		for p, ni := range c.inNamespace[ns] {
			if t.matcher.matches(p, c.spaces) {
				t.add(ni.slot, 1)
			}
		}
	}
	if t.matcher.spaces == nil {
		for _, ns := range t.matcher.namespaces {
			in(ns)
		}
		return
	}
	for ns := range c.inNamespace {
		in(ns)
	}
}

func (c *Cluster) release(t *tallied) {
	if t.refs--; t.refs > 0 {
		return
	}
	delete(c.counters, t.matcher.key)
	for _, k := range t.matcher.index {
		l := c.index[k]
		l.counters = slices.DeleteFunc(l.counters, func(o *tallied) bool { return o == t })
		c.unlisten(k, l)
	}
}

// recount counts anew after a namespace's labels changed, which is rare.
func (c *Cluster) recount() {
	for _, t := range c.counters {
		c.fill(t)
	}
	c.epoch++
}

// termsAbout returns the terms of placed pods that are about p, in a fixed order.
func (c *Cluster) termsAbout(p *Pod) (found []*term) {
	lookups(p, func(k indexKey) {
		if l := c.index[k]; l != nil {
			for _, t := range l.terms {
				if t.matcher.matches(p, c.spaces) {
					found = append(found, t)
				}
			}
		}
	})
	slices.SortFunc(found, func(a, b *term) int {
		return cmp.Or(cmp.Compare(a.matcher.key, b.matcher.key), cmp.Compare(a.topology, b.topology), cmp.Compare(a.weight, b.weight))
	})
	return found
}
