package place

import (
	"slices"
	"strings"

	"github.com/go-logr/logr"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
)

// nodeTerm is a node selector's term, compiled. One that cannot be read, or is empty,
// matches nothing.
type nodeTerm struct {
	labels, fields []labels.Requirement
	never          bool
}

func compileTerm(t *v1.NodeSelectorTerm) nodeTerm {
	out := nodeTerm{never: len(t.MatchExpressions)+len(t.MatchFields) == 0}
	compile := func(rs []v1.NodeSelectorRequirement) (reqs []labels.Requirement) {
		for i := range rs {
			r := &rs[i]
			op := selection.Operator(strings.ToLower(string(r.Operator)))
			switch r.Operator {
			case v1.NodeSelectorOpGt:
				op = selection.GreaterThan
			case v1.NodeSelectorOpLt:
				op = selection.LessThan
			case v1.NodeSelectorOpDoesNotExist:
				op = selection.DoesNotExist
			}
			req, err := labels.NewRequirement(r.Key, op, r.Values)
			if err != nil {
				out.never = true
				continue
			}
			reqs = append(reqs, *req)
		}
		return reqs
	}
	out.labels, out.fields = compile(t.MatchExpressions), compile(t.MatchFields)
	return out
}

func (t *nodeTerm) matches(n *v1.Node) bool {
	if t.never {
		return false
	}
	for i := range t.labels {
		if !t.labels[i].Matches(labels.Set(n.Labels)) {
			return false
		}
	}
	for i := range t.fields {
		if !t.fields[i].Matches(labels.Set{"metadata.name": n.Name}) {
			return false
		}
	}
	return true
}

func tolerates(ts []v1.Toleration, taint *v1.Taint) bool {
	for i := range ts {
		if ts[i].ToleratesTaint(logr.Discard(), taint, true) {
			return true
		}
	}
	return false
}

// untolerated returns the first taint that keeps the pod away, or nil.
func untolerated(ts []v1.Toleration, taints []v1.Taint) *v1.Taint {
	for i := range taints {
		t := &taints[i]
		if t.Effect != v1.TaintEffectPreferNoSchedule && !tolerates(ts, t) {
			return t
		}
	}
	return nil
}

// avoided counts the PreferNoSchedule taints that the pod does not tolerate.
func avoided(ts []v1.Toleration, taints []v1.Taint) (n int32) {
	for i := range taints {
		if taints[i].Effect == v1.TaintEffectPreferNoSchedule && !tolerates(ts, &taints[i]) {
			n++
		}
	}
	return n
}

// matcher selects pods: of some namespaces, by labels.
type matcher struct {
	key        string // says all of it: equal keys select equal pods
	namespaces []string
	spaces     labels.Selector // of namespaces' labels; nil selects none
	selectors  []labels.Selector
	also       []*matcher // all of these too
	alive      bool       // terminating pods do not count
	index      []indexKey
}

// indexKey is where a matcher is found from a pod that it may match: its namespace
// and one of its labels, its namespace alone, or nothing.
type indexKey struct{ namespace, label, value string }

func (m *matcher) matches(p *Pod, spaces map[string]labels.Set) bool {
	if m.alive && p.Terminating {
		return false
	}
	if !slices.Contains(m.namespaces, p.Namespace) && (m.spaces == nil || !m.spaces.Matches(spaces[p.Namespace])) {
		return false
	}
	for _, s := range m.selectors {
		if !s.Matches(p.labels) {
			return false
		}
	}
	for _, other := range m.also {
		if !other.matches(p, spaces) {
			return false
		}
	}
	return true
}

// newMatcher completes m.
func newMatcher(m matcher) *matcher {
	slices.Sort(m.namespaces)
	m.namespaces = slices.Compact(m.namespaces)
	var b strings.Builder
	b.WriteString(strings.Join(m.namespaces, ","))
	b.WriteByte('|')
	if m.spaces != nil {
		b.WriteString("=" + m.spaces.String())
	}
	for _, s := range m.selectors {
		b.WriteByte('|')
		if reqs, selectable := s.Requirements(); selectable {
			if len(reqs) == 0 {
				b.WriteByte('*')
			}
			b.WriteString(s.String())
		} else {
			b.WriteString("!")
		}
	}
	if m.alive {
		b.WriteString("|alive")
	}
	for _, other := range m.also {
		b.WriteString("&" + other.key)
	}
	m.key = b.String()
	m.index = indexKeys(&m)
	return &m
}

func indexKeys(m *matcher) []indexKey {
	if m.spaces != nil {
		return []indexKey{{}}
	}
	label, value := "", ""
	for _, s := range m.selectors {
		reqs, _ := s.Requirements()
		for i := range reqs {
			r := &reqs[i]
			if op := r.Operator(); op != selection.Equals && op != selection.In && op != selection.DoubleEquals || r.Values().Len() != 1 {
				continue
			}
			label, value = r.Key(), r.Values().UnsortedList()[0]
		}
	}
	keys := make([]indexKey, len(m.namespaces))
	for i, ns := range m.namespaces {
		keys[i] = indexKey{ns, label, value}
	}
	return keys
}

// lookups are the keys under which matchers of p are indexed.
func lookups(p *Pod, f func(indexKey)) {
	f(indexKey{})
	f(indexKey{namespace: p.Namespace})
	for k, v := range p.labels {
		f(indexKey{p.Namespace, k, v})
	}
}

// selectorOf is a label selector with the pod's own values of some keys added, as
// matchLabelKeys and mismatchLabelKeys ask for. Without a selector nothing matches.
func selectorOf(s *metav1.LabelSelector, own labels.Set, match, mismatch []string) labels.Selector {
	if s == nil {
		return labels.Nothing()
	}
	out, err := metav1.LabelSelectorAsSelector(s)
	if err != nil {
		return labels.Nothing()
	}
	add := func(keys []string, op selection.Operator) {
		for _, k := range keys {
			v, ok := own[k]
			if !ok {
				continue
			}
			if r, err := labels.NewRequirement(k, op, []string{v}); err == nil {
				out = out.Add(*r)
			}
		}
	}
	add(match, selection.In)
	add(mismatch, selection.NotIn)
	return out
}
