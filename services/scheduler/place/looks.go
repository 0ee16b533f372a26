package place

import (
	"maps"
	"slices"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// looks is the label keys that terms of placed pods have looked at. A set never changes:
// a term that looks at another key makes a new one, and with it new classes, whose pods
// agree on that key too. Keys whose terms have gone stay, so that classes outlive the
// coming and going of pods.
type looks struct {
	id   int64
	keys map[string]bool
}

// maxLooks is how many keys are looked at before those are forgotten whose terms have gone.
const maxLooks = 256

// lookAt notes the keys that m looks at.
func (c *Cluster) lookAt(m *matcher) {
	now := maps.Clone(c.looks.keys)
	if now == nil {
		now = map[string]bool{}
	}
	m.eachKey(func(k string) { now[k] = true })
	if len(now) == len(c.looks.keys) {
		return
	}
	if len(now) > maxLooks {
		clear(now)
		for _, t := range c.terms {
			t.matcher.eachKey(func(k string) { now[k] = true })
		}
	}
	c.looks = &looks{id: c.looks.id + 1, keys: now}
}

// eachKey tells the label keys that m looks at.
func (m *matcher) eachKey(f func(string)) {
	for _, s := range m.selectors {
		reqs, _ := s.Requirements()
		for i := range reqs {
			f(reqs[i].Key())
		}
	}
	for _, other := range m.also {
		other.eachKey(f)
	}
}

// seen are the keys of p's labels that matter, sorted.
func (p *Pod) seen(l *looks) (keys []string) {
	take := func(k string) {
		if _, ok := p.labels[k]; ok {
			keys = append(keys, k)
		}
	}
	for k := range p.labels {
		if l.keys[k] {
			keys = append(keys, k)
		}
	}
	eachOwnKey(p.spec, take)
	slices.Sort(keys)
	return slices.Compact(keys)
}

// eachOwnKey tells the label keys that a pod's own constraints look at, some of them more
// than once.
func eachOwnKey(s *v1.PodSpec, f func(string)) {
	all := func(list ...string) {
		for _, k := range list {
			f(k)
		}
	}
	selector := func(s *metav1.LabelSelector) {
		if s == nil {
			return
		}
		for k := range s.MatchLabels {
			f(k)
		}
		for i := range s.MatchExpressions {
			f(s.MatchExpressions[i].Key)
		}
	}
	term := func(t *v1.PodAffinityTerm) {
		selector(t.LabelSelector)
		all(t.MatchLabelKeys...)
		all(t.MismatchLabelKeys...)
	}
	terms := func(required []v1.PodAffinityTerm, preferred []v1.WeightedPodAffinityTerm) {
		for i := range required {
			term(&required[i])
		}
		for i := range preferred {
			term(&preferred[i].PodAffinityTerm)
		}
	}
	if a := s.Affinity; a != nil && a.PodAffinity != nil {
		terms(a.PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution, a.PodAffinity.PreferredDuringSchedulingIgnoredDuringExecution)
	}
	if a := s.Affinity; a != nil && a.PodAntiAffinity != nil {
		terms(a.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution, a.PodAntiAffinity.PreferredDuringSchedulingIgnoredDuringExecution)
	}
	for i := range s.TopologySpreadConstraints {
		selector(s.TopologySpreadConstraints[i].LabelSelector)
		all(s.TopologySpreadConstraints[i].MatchLabelKeys...)
	}
}
