package place

import (
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// shape is a pod's constraints, compiled.
type shape struct {
	required   []nodeTerm // any of them; nil: no requirement
	restricted bool       // required counts
	preferred  []weighted
	// affinity: pods that match all required terms, and the topology keys of those.
	affinity     *matcher
	affinityKeys []string
	anti         []podTerm // required
	prefer       []podTerm // preferred, with signed weights
	hard, soft   []spread
	owned        []podTerm // what it means for others: see terms
}

type weighted struct {
	nodeTerm
	weight int32
}

// podTerm is a pod affinity term: the pods it is about, and in which domain. weight is
// negative for anti-affinity, and 0 for a required one.
type podTerm struct {
	*matcher
	topology string
	weight   int32
}

// spread is a topology spread constraint.
type spread struct {
	*matcher
	topology     string
	maxSkew      int32
	minDomains   int32
	self         int32 // 1 if the pod counts itself
	honourLabels bool
	honourTaints bool
}

// requiredAffinityWeight is what a required affinity of a placed pod counts for a pod
// that it wants near: Kubernetes' hardPodAffinityWeight.
const requiredAffinityWeight = 1

func newShape(p *Pod) *shape {
	s := &shape{}
	if a := p.spec.Affinity; a != nil {
		s.nodes(a.NodeAffinity)
		s.near(p, a.PodAffinity)
		s.far(p, a.PodAntiAffinity)
	}
	for i := range p.spec.TopologySpreadConstraints {
		c := &p.spec.TopologySpreadConstraints[i]
		if sp := newSpread(p, c); c.WhenUnsatisfiable == v1.ScheduleAnyway {
			s.soft = append(s.soft, sp)
		} else {
			s.hard = append(s.hard, sp)
		}
	}
	return s
}

func (s *shape) nodes(a *v1.NodeAffinity) {
	if a == nil {
		return
	}
	if r := a.RequiredDuringSchedulingIgnoredDuringExecution; r != nil {
		s.restricted = true
		for i := range r.NodeSelectorTerms {
			s.required = append(s.required, compileTerm(&r.NodeSelectorTerms[i]))
		}
	}
	for i := range a.PreferredDuringSchedulingIgnoredDuringExecution {
		t := &a.PreferredDuringSchedulingIgnoredDuringExecution[i]
		if len(t.Preference.MatchExpressions)+len(t.Preference.MatchFields) == 0 {
			continue
		}
		s.preferred = append(s.preferred, weighted{compileTerm(&t.Preference), t.Weight})
	}
}

func (s *shape) near(p *Pod, a *v1.PodAffinity) {
	if a == nil {
		return
	}
	for i := range a.RequiredDuringSchedulingIgnoredDuringExecution {
		t := &a.RequiredDuringSchedulingIgnoredDuringExecution[i]
		m := newPodTerm(p, t, requiredAffinityWeight)
		s.owned = append(s.owned, m)
		s.affinityKeys = append(s.affinityKeys, t.TopologyKey)
	}
	if len(s.owned) > 0 {
		all := *s.owned[0].matcher
		for _, t := range s.owned[1:] {
			all.also = append(all.also, t.matcher)
		}
		s.affinity = newMatcher(all)
	}
	for i := range a.PreferredDuringSchedulingIgnoredDuringExecution {
		t := &a.PreferredDuringSchedulingIgnoredDuringExecution[i]
		s.prefer = append(s.prefer, newPodTerm(p, &t.PodAffinityTerm, t.Weight))
	}
	s.owned = append(s.owned, s.prefer...)
}

func (s *shape) far(p *Pod, a *v1.PodAntiAffinity) {
	if a == nil {
		return
	}
	for i := range a.RequiredDuringSchedulingIgnoredDuringExecution {
		t := newPodTerm(p, &a.RequiredDuringSchedulingIgnoredDuringExecution[i], 0)
		s.anti = append(s.anti, t)
		s.owned = append(s.owned, t)
	}
	for i := range a.PreferredDuringSchedulingIgnoredDuringExecution {
		t := &a.PreferredDuringSchedulingIgnoredDuringExecution[i]
		term := newPodTerm(p, &t.PodAffinityTerm, -t.Weight)
		s.prefer = append(s.prefer, term)
		s.owned = append(s.owned, term)
	}
}

func newPodTerm(p *Pod, t *v1.PodAffinityTerm, weight int32) podTerm {
	m := matcher{
		namespaces: append([]string(nil), t.Namespaces...),
		selectors:  []labels.Selector{selectorOf(t.LabelSelector, p.labels, t.MatchLabelKeys, t.MismatchLabelKeys)},
	}
	if t.NamespaceSelector != nil {
		m.spaces = selectorOf(t.NamespaceSelector, nil, nil, nil)
	}
	if len(m.namespaces) == 0 && m.spaces == nil {
		m.namespaces = []string{p.Namespace}
	}
	return podTerm{newMatcher(m), t.TopologyKey, weight}
}

func newSpread(p *Pod, c *v1.TopologySpreadConstraint) spread {
	m := newMatcher(matcher{
		namespaces: []string{p.Namespace}, alive: true,
		selectors: []labels.Selector{selectorOf(c.LabelSelector, p.labels, c.MatchLabelKeys, nil)},
	})
	s := spread{matcher: m, topology: c.TopologyKey, maxSkew: c.MaxSkew, minDomains: 1, honourLabels: true}
	if c.MinDomains != nil {
		s.minDomains = *c.MinDomains
	}
	if c.NodeAffinityPolicy != nil {
		s.honourLabels = *c.NodeAffinityPolicy == v1.NodeInclusionPolicyHonor
	}
	if c.NodeTaintsPolicy != nil {
		s.honourTaints = *c.NodeTaintsPolicy == v1.NodeInclusionPolicyHonor
	}
	if m.selectors[0].Matches(p.labels) {
		s.self = 1
	}
	return s
}

// choosy tells whether the pod asks for some nodes and not for others.
func (s *shape) choosy(p *Pod) bool { return s.restricted || len(p.spec.NodeSelector) > 0 }

// matchesNode checks spec.nodeSelector and the required node affinity.
func (s *shape) matchesNode(p *Pod, n *v1.Node) bool {
	if !s.choosy(p) {
		return true
	}
	for k, v := range p.spec.NodeSelector {
		if have, ok := n.Labels[k]; !ok || have != v {
			return false
		}
	}
	if !s.restricted {
		return true
	}
	for i := range s.required {
		if s.required[i].matches(n) {
			return true
		}
	}
	return false
}
