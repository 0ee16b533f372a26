// Package fit decides whether a node takes a pod that was given to it: what a kubelet
// checks once more, whoever chose the node.
//
// It is pure. What always holds: a pod that a scheduler of Kubernetes' rules puts on the
// node fits; reasons and messages are the kubelet's; who has critical priority is never
// refused for lack of room that pods without it hold.
//
// https://kubernetes.io/docs/concepts/scheduling-eviction/kube-scheduler/
package fit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-logr/logr"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"

	"github.com/skerry/skerry/schemas/amount"
)

// Refusal is one reason why a node does not take a pod.
type Refusal struct {
	// Reason and Message are of the pod's status and event.
	Reason, Message string
	// resource is what there is too little of, "" if it is something else; short by how much.
	resource v1.ResourceName
	short    resource.Quantity
}

// Lacks tells whether it is lack of a resource: what other pods hold may be the cause.
func (r Refusal) Lacks() bool { return r.resource != "" }

// Fleeting tells whether it is over once another pod has left.
func (r Refusal) Fleeting() bool { return r.Lacks() || r.Reason == portsReason }

// Reasons that are no lack of a resource: names of the scheduler's plugins.
const (
	affinityReason = "NodeAffinity"
	nameReason     = "NodeName"
	portsReason    = "NodePorts"
	taintReason    = "TaintToleration"
)

// Others are the pods that a node has taken, and what they have of it together.
type Others struct {
	Count int
	Pods  func() []*v1.Pod // few pods need to know; nil: there are none
	Taken v1.ResourceList
}

func (o Others) all() []*v1.Pod {
	if o.Pods == nil {
		return nil
	}
	return o.Pods()
}

// Beside are others of which nobody has kept the sum.
func Beside(pods ...*v1.Pod) Others {
	return Others{Count: len(pods), Pods: func() []*v1.Pod { return pods }, Taken: Taken(pods)}
}

// Check returns every reason why n does not take p beside others, in the kubelet's order; the first
// is the one to tell. n's status says what pods can have. Others are those that were taken.
func Check(p *v1.Pod, n *v1.Node, others Others) []Refusal {
	out := lacking(p, n.Status.Allocatable, others)
	failed := func(reason, why string) {
		out = append(out, Refusal{Reason: reason, Message: fmt.Sprintf("Predicate %s failed: %s", reason, why)})
	}
	if ok, err := nodeaffinity.GetRequiredNodeAffinity(p).Match(n); !ok || err != nil {
		failed(affinityReason, "node(s) didn't match Pod's node affinity/selector")
	}
	if p.Spec.NodeName != "" && p.Spec.NodeName != n.Name {
		failed(nameReason, "node(s) didn't match the requested node name")
	}
	if !portsFree(p, others.all) {
		failed(portsReason, "node(s) didn't have free ports for the requested pod ports")
	}
	if slices.ContainsFunc(n.Spec.Taints, func(t v1.Taint) bool { return t.Effect == v1.TaintEffectNoExecute && !tolerated(p, &t) }) {
		failed(taintReason, "node(s) had taints that the pod didn't tolerate")
	}
	return out
}

func tolerated(p *v1.Pod, t *v1.Taint) bool {
	return slices.ContainsFunc(p.Spec.Tolerations, func(one v1.Toleration) bool { return one.ToleratesTaint(logr.Discard(), t, true) })
}

// lacking are the resources that the node has too little of.
func lacking(p *v1.Pod, has v1.ResourceList, others Others) []Refusal {
	var out []Refusal
	lack := func(n v1.ResourceName, want, used, capacity resource.Quantity) {
		short := want.DeepCopy()
		short.Add(used)
		short.Sub(capacity)
		out = append(out, Refusal{
			Reason: "OutOf" + string(n), resource: n, short: short,
			Message: fmt.Sprintf("Node didn't have enough resource: %s, requested: %d, used: %d, capacity: %d", n, number(n, want), number(n, used), number(n, capacity)),
		})
	}
	if pods := has[v1.ResourcePods]; pods.CmpInt64(int64(others.Count)+1) < 0 {
		lack(v1.ResourcePods, *resource.NewQuantity(1, resource.DecimalSI), *resource.NewQuantity(int64(others.Count), resource.DecimalSI), pods)
	}
	want, taken := amount.Requests(&p.Spec), others.Taken
	for _, n := range inOrder(want) {
		ask, capacity := want[n], has[n]
		if _, known := has[n]; !known && extended(n) {
			continue // it is a cluster's, not a node's; a scheduler has seen to it
		}
		sum := ask.DeepCopy()
		sum.Add(taken[n])
		if ask.Sign() > 0 && sum.Cmp(capacity) > 0 {
			lack(n, ask, taken[n], capacity)
		}
	}
	return out
}

// Taken is what pods have together.
func Taken(pods []*v1.Pod) v1.ResourceList {
	sum := v1.ResourceList{}
	for _, p := range pods {
		for n, q := range amount.Requests(&p.Spec) {
			have := sum[n]
			have.Add(q)
			sum[n] = have
		}
	}
	return sum
}

// inOrder are l's names: the resources of every node first, as a kubelet looks at them.
func inOrder(l v1.ResourceList) []v1.ResourceName {
	var out []v1.ResourceName
	first := []v1.ResourceName{v1.ResourceCPU, v1.ResourceMemory, v1.ResourceEphemeralStorage}
	for _, n := range first {
		if _, ok := l[n]; ok {
			out = append(out, n)
		}
	}
	var rest []v1.ResourceName
	for n := range l {
		if !slices.Contains(first, n) {
			rest = append(rest, n)
		}
	}
	slices.Sort(rest)
	return append(out, rest...)
}

// extended tells whether a resource is not one of Kubernetes' own.
func extended(n v1.ResourceName) bool {
	return strings.Contains(string(n), "/") && !strings.Contains(string(n), "kubernetes.io/")
}

// number is in thousandths of a core, or whole.
func number(n v1.ResourceName, q resource.Quantity) int64 {
	if n == v1.ResourceCPU {
		return q.MilliValue()
	}
	return q.Value()
}
