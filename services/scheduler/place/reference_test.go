package place

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
)

// world is a cluster kept the slow way: lists of objects, and rules that read all of
// them for each question. It shares no code with what it checks.
type world struct {
	nodes  map[string]*v1.Node
	pods   map[types.UID]*v1.Pod // with spec.nodeName
	spaces map[string]map[string]string
	// nominated are pods that room is kept for on spec.nodeName.
	nominated map[types.UID]*v1.Pod
	budgets   map[string]*Budget
}

func newWorld() *world {
	return &world{nodes: map[string]*v1.Node{}, pods: map[types.UID]*v1.Pod{}, spaces: map[string]map[string]string{},
		nominated: map[types.UID]*v1.Pod{}, budgets: map[string]*Budget{}}
}

// allows tells whether pod may be on node, now and once those that room is kept for are
// there, if they are as important as it is.
func (w *world) allows(pod *v1.Pod, n *v1.Node) bool {
	if !w.allowsNow(pod, n) {
		return false
	}
	then := *w
	then.pods = maps.Clone(w.pods)
	for uid, p := range w.nominated {
		if uid != pod.UID && w.nodes[p.Spec.NodeName] != nil && priorityOf(p) >= priorityOf(pod) {
			then.pods[uid] = p
		}
	}
	return len(then.pods) == len(w.pods) || then.allowsNow(pod, n)
}

func priorityOf(p *v1.Pod) int32 { return ptr.Deref(p.Spec.Priority, 0) }

func (w *world) allowsNow(pod *v1.Pod, n *v1.Node) bool {
	return w.admits(pod, n) && w.hasRoom(pod, n) && w.spreads(pod, n) && w.together(pod, n) && w.apart(pod, n)
}

func (w *world) admits(pod *v1.Pod, n *v1.Node) bool {
	if pod.Spec.NodeName != "" && pod.Spec.NodeName != n.Name {
		return false
	}
	if n.Spec.Unschedulable && !w.bears(pod, v1.Taint{Key: "node.kubernetes.io/unschedulable", Effect: "NoSchedule"}) {
		return false
	}
	return w.affine(pod, n) && w.untainted(pod, n)
}

func (w *world) affine(pod *v1.Pod, n *v1.Node) bool {
	for k, v := range pod.Spec.NodeSelector {
		if have, ok := n.Labels[k]; !ok || have != v {
			return false
		}
	}
	if pod.Spec.Affinity == nil || pod.Spec.Affinity.NodeAffinity == nil {
		return true
	}
	required := pod.Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution
	return required == nil || slices.ContainsFunc(required.NodeSelectorTerms, func(t v1.NodeSelectorTerm) bool { return termHolds(t, n) })
}

func termHolds(t v1.NodeSelectorTerm, n *v1.Node) bool {
	for _, r := range t.MatchExpressions {
		if !requirementHolds(r, n.Labels) {
			return false
		}
	}
	for _, r := range t.MatchFields {
		if !requirementHolds(r, map[string]string{"metadata.name": n.Name}) {
			return false
		}
	}
	return len(t.MatchExpressions)+len(t.MatchFields) > 0
}

func requirementHolds(r v1.NodeSelectorRequirement, labels map[string]string) bool {
	have, ok := labels[r.Key]
	switch r.Operator {
	case v1.NodeSelectorOpIn:
		return ok && slices.Contains(r.Values, have)
	case v1.NodeSelectorOpNotIn:
		return !ok || !slices.Contains(r.Values, have)
	case v1.NodeSelectorOpExists:
		return ok
	case v1.NodeSelectorOpDoesNotExist:
		return !ok
	}
	x, err := strconv.Atoi(have)
	y, yerr := strconv.Atoi(r.Values[0])
	return err == nil && yerr == nil && (r.Operator == v1.NodeSelectorOpGt && x > y || r.Operator == v1.NodeSelectorOpLt && x < y)
}

func (w *world) untainted(pod *v1.Pod, n *v1.Node) bool {
	for _, t := range n.Spec.Taints {
		if t.Effect != "PreferNoSchedule" && !w.bears(pod, t) {
			return false
		}
	}
	return true
}

func (w *world) bears(pod *v1.Pod, t v1.Taint) bool {
	for _, tol := range pod.Spec.Tolerations {
		if (tol.Effect == "" || tol.Effect == t.Effect) && (tol.Key == "" || tol.Key == t.Key) && tolerated(tol, t.Value) {
			return true
		}
	}
	return false
}

func tolerated(tol v1.Toleration, value string) bool {
	switch tol.Operator {
	case v1.TolerationOpExists:
		return true
	case v1.TolerationOpGt, v1.TolerationOpLt:
		x, err := strconv.Atoi(value)
		y, yerr := strconv.Atoi(tol.Value)
		plain := err == nil && yerr == nil && strconv.Itoa(x) == value // no leading zeros
		return plain && (tol.Operator == v1.TolerationOpGt && x > y || tol.Operator == v1.TolerationOpLt && x < y)
	}
	return tol.Value == value
}

func (w *world) on(node string) (out []*v1.Pod) {
	for _, p := range w.pods {
		if p.Spec.NodeName == node {
			out = append(out, p)
		}
	}
	return out
}

func (w *world) hasRoom(pod *v1.Pod, n *v1.Node) bool {
	for _, name := range []v1.ResourceName{"cpu", "memory", "ephemeral-storage", "example.com/gpu"} {
		ask := pod.Spec.Containers[0].Resources.Requests[name]
		sum := ask.DeepCopy()
		for _, p := range w.on(n.Name) {
			sum.Add(p.Spec.Containers[0].Resources.Requests[name])
		}
		if have := n.Status.Allocatable[name]; !ask.IsZero() && sum.Cmp(have) > 0 {
			return false
		}
	}
	for _, p := range w.on(n.Name) {
		for _, a := range p.Spec.Containers[0].Ports {
			for _, b := range pod.Spec.Containers[0].Ports {
				all := func(ip string) bool { return ip == "" || ip == "0.0.0.0" }
				if a.HostPort == b.HostPort && a.Protocol == b.Protocol && (a.HostIP == b.HostIP || all(a.HostIP) || all(b.HostIP)) {
					return false
				}
			}
		}
	}
	limit := n.Status.Allocatable[v1.ResourcePods]
	return int64(len(w.on(n.Name)))+1 <= limit.Value()
}

func selects(s *metav1.LabelSelector, p *v1.Pod, own *v1.Pod, match, mismatch []string) bool {
	if s == nil {
		return false
	}
	sel, err := metav1.LabelSelectorAsSelector(s)
	if err != nil || !sel.Matches(labels.Set(p.Labels)) {
		return false
	}
	for _, k := range match {
		if v, ok := own.Labels[k]; ok && p.Labels[k] != v {
			return false
		}
	}
	for _, k := range mismatch {
		if v, ok := own.Labels[k]; ok && p.Labels[k] == v {
			return false
		}
	}
	return true
}

// wants tells whether p is one that owner's term t is about.
func (w *world) wants(t v1.PodAffinityTerm, owner, p *v1.Pod) bool {
	in := slices.Contains(t.Namespaces, p.Namespace)
	if t.NamespaceSelector != nil {
		s, _ := metav1.LabelSelectorAsSelector(t.NamespaceSelector)
		in = in || s.Matches(labels.Set(w.spaces[p.Namespace]))
	}
	if len(t.Namespaces) == 0 && t.NamespaceSelector == nil {
		in = p.Namespace == owner.Namespace
	}
	return in && selects(t.LabelSelector, p, owner, t.MatchLabelKeys, t.MismatchLabelKeys)
}

func same(a, b *v1.Node, key string) bool {
	x, ok := a.Labels[key]
	y, also := b.Labels[key]
	return ok && also && x == y
}

func (w *world) together(pod *v1.Pod, n *v1.Node) bool {
	if pod.Spec.Affinity == nil || pod.Spec.Affinity.PodAffinity == nil {
		return true
	}
	terms := pod.Spec.Affinity.PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution
	all := func(p *v1.Pod) bool {
		for _, t := range terms {
			if !w.wants(t, pod, p) {
				return false
			}
		}
		return true
	}
	anyone := false
	met := make([]bool, len(terms))
	for _, p := range w.pods {
		host := w.nodes[p.Spec.NodeName]
		if host == nil || !all(p) {
			continue
		}
		for i, t := range terms {
			if _, ok := host.Labels[t.TopologyKey]; ok {
				anyone = true
			}
			met[i] = met[i] || same(host, n, t.TopologyKey)
		}
	}
	for _, t := range terms {
		if _, ok := n.Labels[t.TopologyKey]; !ok {
			return false
		}
	}
	return !slices.Contains(met, false) || !anyone && all(pod)
}

func (w *world) apart(pod *v1.Pod, n *v1.Node) bool {
	terms := func(p *v1.Pod) []v1.PodAffinityTerm {
		if p.Spec.Affinity == nil || p.Spec.Affinity.PodAntiAffinity == nil {
			return nil
		}
		return p.Spec.Affinity.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution
	}
	for _, p := range w.pods {
		host := w.nodes[p.Spec.NodeName]
		if host == nil {
			continue
		}
		for _, t := range terms(pod) {
			if same(host, n, t.TopologyKey) && w.wants(t, pod, p) {
				return false
			}
		}
		for _, t := range terms(p) {
			if same(host, n, t.TopologyKey) && w.wants(t, p, pod) {
				return false
			}
		}
	}
	return true
}

func (w *world) spreads(pod *v1.Pod, n *v1.Node) bool {
	var hard []v1.TopologySpreadConstraint
	for _, c := range pod.Spec.TopologySpreadConstraints {
		if c.WhenUnsatisfiable == v1.DoNotSchedule {
			hard = append(hard, c)
		}
	}
	for _, c := range hard {
		value, ok := n.Labels[c.TopologyKey]
		if !ok {
			return false
		}
		counts := map[string]int{}
		for _, host := range w.nodes {
			eligible := true
			for _, other := range hard {
				if _, ok := host.Labels[other.TopologyKey]; !ok {
					eligible = false
				}
			}
			if ptr.Deref(c.NodeAffinityPolicy, v1.NodeInclusionPolicyHonor) == v1.NodeInclusionPolicyHonor && !w.affine(pod, host) {
				eligible = false
			}
			if ptr.Deref(c.NodeTaintsPolicy, v1.NodeInclusionPolicyIgnore) == v1.NodeInclusionPolicyHonor && !w.untainted(pod, host) {
				eligible = false
			}
			if !eligible {
				continue
			}
			counts[host.Labels[c.TopologyKey]] += 0
			for _, p := range w.on(host.Name) {
				if p.DeletionTimestamp == nil && p.Namespace == pod.Namespace && selects(c.LabelSelector, p, pod, c.MatchLabelKeys, nil) {
					counts[host.Labels[c.TopologyKey]]++
				}
			}
		}
		least := math.MaxInt32
		for _, k := range counts {
			least = min(least, k)
		}
		if len(counts) == 0 || len(counts) < int(ptr.Deref(c.MinDomains, 1)) {
			least = 0
		}
		self := 0
		if selects(c.LabelSelector, pod, pod, c.MatchLabelKeys, nil) {
			self = 1
		}
		if counts[value]+self-least > int(c.MaxSkew) {
			return false
		}
	}
	return true
}

func (w *world) String() string {
	var b []byte
	for _, n := range w.nodes {
		b = fmt.Appendf(b, "node %s %v %v\n", n.Name, n.Labels, n.Spec.Taints)
	}
	for _, p := range w.pods {
		b = fmt.Appendf(b, "pod %s/%s on %s priority %d %v\n", p.Namespace, p.Name, p.Spec.NodeName, priorityOf(p), p.Labels)
	}
	for _, p := range w.nominated {
		b = fmt.Appendf(b, "nominated %s/%s on %s priority %d %v %+v\n", p.Namespace, p.Name, p.Spec.NodeName, priorityOf(p), p.Labels, p.Spec.Affinity)
	}
	return string(b)
}
