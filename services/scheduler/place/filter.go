package place

import (
	"fmt"
	"sort"
	"strings"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
)

// Reasons against a node, in the words of Kubernetes' scheduler.
const (
	reasonUnschedulable = "node(s) were unschedulable"
	reasonAffinity      = "node(s) didn't match Pod's node affinity/selector"
	reasonPorts         = "node(s) didn't have free ports for the requested pod ports"
	reasonTooManyPods   = "Too many pods"
)

// refuse returns the reasons why p cannot run on n; none means that it fits. The
// filters stop at the first that refuses, except that every short resource is named.
func refuse(p *Pod, n *nodeInfo) []string {
	if n.node.Spec.Unschedulable && !tolerates(p.spec.Tolerations, &v1.Taint{Key: v1.TaintNodeUnschedulable, Effect: v1.TaintEffectNoSchedule}) {
		return []string{reasonUnschedulable}
	}
	if t := untolerated(p.spec.Tolerations, n.node.Spec.Taints); t != nil {
		return []string{fmt.Sprintf("node(s) had untolerated taint {%s: %s}", t.Key, t.Value)}
	}
	if !matchesNode(p.spec, n.node) {
		return []string{reasonAffinity}
	}
	if !portsFree(p, n) {
		return []string{reasonPorts}
	}
	return short(p, n)
}

// short names the resources that n lacks. Only what p asks for counts: a pod that
// asks for no memory runs on a node whose memory is overcommitted.
func short(p *Pod, n *nodeInfo) []string {
	var out []string
	if int64(len(n.pods))+1 > n.maxPods {
		out = append(out, reasonTooManyPods)
	}
	lacks := func(name v1.ResourceName, ask, have, used int64) {
		if ask > 0 && ask > have-used {
			out = append(out, "Insufficient "+string(name))
		}
	}
	lacks(v1.ResourceCPU, p.Request.MilliCPU, n.allocatable.MilliCPU, n.requested.MilliCPU)
	lacks(v1.ResourceMemory, p.Request.Memory, n.allocatable.Memory, n.requested.Memory)
	lacks(v1.ResourceEphemeralStorage, p.Request.Ephemeral, n.allocatable.Ephemeral, n.requested.Ephemeral)
	names := make([]string, 0, len(p.Request.Scalar))
	for name := range p.Request.Scalar {
		names = append(names, string(name))
	}
	sort.Strings(names)
	for _, s := range names {
		name := v1.ResourceName(s)
		lacks(name, p.Request.Scalar[name], n.allocatable.Scalar[name], n.requested.Scalar[name])
	}
	return out
}

func portsFree(p *Pod, n *nodeInfo) bool {
	if len(p.ports) == 0 {
		return true
	}
	for _, other := range n.pods {
		for _, taken := range other.ports {
			for _, want := range p.ports {
				if want.conflicts(taken) {
					return false
				}
			}
		}
	}
	return true
}

func tolerates(ts []v1.Toleration, taint *v1.Taint) bool {
	for i := range ts {
		t := &ts[i]
		if t.Effect != "" && t.Effect != taint.Effect {
			continue
		}
		if t.Key != "" && t.Key != taint.Key {
			continue
		}
		switch t.Operator {
		case "", v1.TolerationOpEqual:
			if t.Key != "" && t.Value == taint.Value {
				return true
			}
		case v1.TolerationOpExists:
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

// matchesNode checks spec.nodeSelector and the required node affinity.
func matchesNode(s *v1.PodSpec, n *v1.Node) bool {
	for k, v := range s.NodeSelector {
		if have, ok := n.Labels[k]; !ok || have != v {
			return false
		}
	}
	if s.Affinity == nil || s.Affinity.NodeAffinity == nil || s.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return true
	}
	for i := range s.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms {
		if matchesTerm(&s.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[i], n) {
			return true
		}
	}
	return false
}

// matchesTerm: all of a term's requirements; an empty term matches nothing.
func matchesTerm(t *v1.NodeSelectorTerm, n *v1.Node) bool {
	if len(t.MatchExpressions)+len(t.MatchFields) == 0 {
		return false
	}
	for i := range t.MatchExpressions {
		if !matchesRequirement(&t.MatchExpressions[i], labels.Set(n.Labels)) {
			return false
		}
	}
	for i := range t.MatchFields {
		if !matchesRequirement(&t.MatchFields[i], labels.Set{"metadata.name": n.Name}) {
			return false
		}
	}
	return true
}

func matchesRequirement(r *v1.NodeSelectorRequirement, set labels.Set) bool {
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
	return err == nil && req.Matches(set)
}
