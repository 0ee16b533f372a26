package place

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/skerry/skerry/schemas/placement"
)

// Explain tells why p is where it is, or on no node. A pod on a node is looked at as if
// it were placed now: what it holds is free for it. The cluster is as it was afterwards.
func (c *Cluster) Explain(p *Pod) *placement.Explanation {
	out := &placement.Explanation{Pod: p.Name, Total: len(c.byName)}
	if at, ok := c.pods[p.UID]; ok {
		out.Node = string(at.node)
		c.RemovePod(p.UID)
		defer c.SetPod(at.pod, at.node)
	} else if at, ok := c.nominated[p.UID]; ok {
		c.Unnominate(p.UID)
		defer c.Nominate(at.pod, at.node)
	}
	k := c.class(p)
	k.bar(c)
	defer k.unbar(c)
	z := k.survey(c)
	fits := slices.Clone(c.feasible)
	out.Fits = len(fits)
	if out.Node != "" || len(fits) > 0 {
		out.Nodes = k.scored(c, fits, &z, out.Node)
		return out
	}
	out.Message = k.explain(c).Error()
	out.Nodes, out.Change = k.refused(c)
	pre, why := c.Preempt(p)
	if out.NoPreemption = why; pre == nil {
		return out
	}
	out.Preemption = &placement.Preemption{Node: string(pre.Node), Violations: pre.Violations}
	for _, v := range pre.Victims {
		out.Preemption.Victims = append(out.Preemption.Victims, placement.Holder{Pod: v.Name, Amount: amounts(&v.Request), Priority: v.Priority})
	}
	return out
}

// scored rates the nodes that fit, the best first; a node that does not is only told of
// if the pod is there.
func (k *class) scored(c *Cluster, fits []int32, z *scale, at string) []placement.Node {
	raw := map[int32]float32{}
	if z.spread {
		c.feasible = append(c.feasible[:0], fits...)
		for i, v := range k.spreadRaw(c) {
			raw[fits[i]] = v
		}
	}
	var out []placement.Node
	for _, s := range fits {
		out = append(out, placement.Node{Name: c.slots[s].node.Name, Fits: true, Score: k.score(c, int(s), z, raw[s])})
	}
	slices.SortFunc(out, func(a, b placement.Node) int {
		return cmp.Or(cmp.Compare(b.Score.Total, a.Score.Total), cmp.Compare(a.Name, b.Name))
	})
	if i := slices.IndexFunc(out, func(n placement.Node) bool { return n.Name == at }); i >= placement.MaxNodes {
		out[placement.MaxNodes-1] = out[i]
	} else if i < 0 && c.byName[nodeName(at)] != nil {
		out = append([]placement.Node{k.against(c, c.byName[nodeName(at)])}, out...)
	}
	return out[:min(len(out), placement.MaxNodes)]
}

func (k *class) score(c *Cluster, slot int, z *scale, spread float32) *placement.Score {
	n := c.slots[slot]
	s := &placement.Score{
		ResourcesFit: weightFree * k.freeScore(c.policy, n), BalancedAllocation: weightBalance * k.balanceScore(n),
		ImageLocality: weightImage * k.imageScore(c, n), TaintToleration: weightTaint * 100,
	}
	if k.avoid != nil {
		s.TaintToleration = weightTaint * float64(z.taint(k.avoid[slot]))
	}
	if k.prefer != nil {
		s.NodeAffinity = weightPrefer * float64(z.like(k.prefer[slot]))
	}
	if z.spread {
		s.TopologySpread = weightSpread * float64(z.even(spread))
	}
	if z.pull {
		s.PodAffinity = weightPull * float64(z.drawn(k.pullRaw(slot)))
	}
	for _, part := range []*float64{&s.ResourcesFit, &s.BalancedAllocation, &s.ImageLocality, &s.NodeAffinity, &s.TaintToleration, &s.TopologySpread, &s.PodAffinity} {
		*part = math.Round(*part*10) / 10
		s.Total += *part
	}
	s.Total = math.Round(s.Total*10) / 10
	return s
}

// refused tells of every node what is against it, the nearest to fitting first, and
// the nearest change of all.
func (k *class) refused(c *Cluster) ([]placement.Node, string) {
	type rated struct {
		placement.Node
		far float64
	}
	var all []rated
	for _, ni := range c.slots {
		if ni != nil {
			n := k.against(c, ni)
			all = append(all, rated{n, k.distance(c, ni, n.Refused)})
		}
	}
	slices.SortFunc(all, func(a, b rated) int { return cmp.Or(cmp.Compare(a.far, b.far), cmp.Compare(a.Name, b.Name)) })
	out := make([]placement.Node, 0, min(len(all), placement.MaxNodes))
	for _, n := range all[:min(len(all), placement.MaxNodes)] {
		out = append(out, n.Node)
	}
	if len(out) == 0 {
		return nil, "add a node"
	}
	return out, out[0].Change
}

// distance orders nodes by how much would have to change: first by how many things,
// then by what share of the request is missing.
func (k *class) distance(c *Cluster, ni *nodeInfo, reasons []placement.Reason) float64 {
	far := float64(10 * len(reasons))
	for _, r := range reasons {
		switch r.Constraint {
		case "NodeResourcesFit":
			asked, short := resource.MustParse(cmp.Or(r.Asked, "1")), resource.MustParse(cmp.Or(r.Short, "1"))
			far += 3 * min(1, short.AsApproximateFloat64()/max(1e-9, asked.AsApproximateFloat64()))
			if over := resource.MustParse(cmp.Or(r.Asked, "0")); over.AsApproximateFloat64() > k.most(ni, r.Resource) {
				far += 5 // even empty it would be too small
			}
		case "NodeUnschedulable":
			far++
		case "TaintToleration":
			far += 2
		default:
			far += 4
		}
	}
	return far
}

// most is what ni has of a resource when it is empty.
func (k *class) most(ni *nodeInfo, name string) float64 {
	q, ok := ni.node.Status.Allocatable[v1.ResourceName(name)]
	if !ok {
		return 0
	}
	return q.AsApproximateFloat64()
}

// against tells what keeps k's from ni, all of it: not only what the filters find first.
func (k *class) against(c *Cluster, ni *nodeInfo) placement.Node {
	out := placement.Node{Name: ni.node.Name}
	var changes []string
	add := func(r placement.Reason, change string) {
		out.Refused = append(out.Refused, r)
		changes = append(changes, change)
	}
	k.settings(ni, add)
	mask := k.short(ni)
	k.resources(ni, mask, add)
	if mask&shortPorts != 0 {
		k.ports(ni, add)
	}
	k.company(c, ni, add)
	k.bars(c, ni, add)
	out.Fits = len(out.Refused) == 0
	if !out.Fits {
		out.Change = strings.Join(changes, ", and ")
	}
	return out
}

type against func(r placement.Reason, change string)

func (k *class) settings(ni *nodeInfo, add against) {
	spec, n := k.rep.spec, ni.node
	if n.Spec.Unschedulable && !tolerates(spec.Tolerations, &v1.Taint{Key: v1.TaintNodeUnschedulable, Effect: v1.TaintEffectNoSchedule}) {
		add(placement.Reason{Constraint: "NodeUnschedulable", Message: "the node is cordoned"}, "uncordon "+n.Name)
	}
	if spec.NodeName != "" && spec.NodeName != n.Name {
		add(placement.Reason{Constraint: "NodeName", Message: "the pod names node " + spec.NodeName}, "take nodeName out of the pod")
	}
	for i := range n.Spec.Taints {
		t := &n.Spec.Taints[i]
		if t.Key == v1.TaintNodeUnschedulable || t.Effect == v1.TaintEffectPreferNoSchedule || tolerates(spec.Tolerations, t) {
			continue
		}
		text := t.ToString()
		change := "tolerate taint " + text
		if t.Key == v1.TaintNodeNotReady || t.Key == v1.TaintNodeUnreachable {
			change = "bring " + n.Name + " back"
		}
		add(placement.Reason{Constraint: "TaintToleration", Message: "taint " + text + " is not tolerated"}, change)
	}
	if k.shape.matchesNode(k.rep, n) {
		return
	}
	for _, key := range slices.Sorted(maps.Keys(spec.NodeSelector)) {
		want := spec.NodeSelector[key]
		have, ok := n.Labels[key]
		switch {
		case ok && have == want:
		case ok:
			add(placement.Reason{Constraint: "NodeAffinity", Message: fmt.Sprintf("nodeSelector %s=%s, the node has %s=%s", key, want, key, have)}, fmt.Sprintf("label %s with %s=%s", n.Name, key, want))
		default:
			add(placement.Reason{Constraint: "NodeAffinity", Message: fmt.Sprintf("nodeSelector %s=%s, the node has no label %s", key, want, key)}, fmt.Sprintf("label %s with %s=%s", n.Name, key, want))
		}
	}
	if k.shape.restricted && !slices.ContainsFunc(k.shape.required, func(t nodeTerm) bool { return t.matches(n) }) {
		add(placement.Reason{Constraint: "NodeAffinity", Message: "no term of the required node affinity matches the node"}, fmt.Sprintf("label %s as the pod's node affinity asks", n.Name))
	}
}

// resources tells how far short the node is, and who has what is missing.
func (k *class) resources(ni *nodeInfo, mask uint16, add against) {
	used, pods := ni.kept(k.rep.Priority)
	if mask&shortPods != 0 {
		add(placement.Reason{Constraint: "NodeResourcesFit", Message: fmt.Sprintf("the node runs %d pods, at most %d", ni.count+pods, ni.maxPods), Resource: "pods", Asked: "1", Free: "0", Short: "1"}, "remove a pod from "+ni.node.Name)
	}
	one := func(bit uint16, name v1.ResourceName, of func(*Resources) int64, milli bool) {
		if mask&bit == 0 {
			return
		}
		asked, free := of(&k.rep.Request), of(&ni.allocatable)-of(&used)
		if asked <= free {
			return
		}
		write := func(n int64) string { return quantity(name, n, milli) }
		r := placement.Reason{Constraint: "NodeResourcesFit", Resource: string(name), Asked: write(asked), Free: write(max(0, free)), Short: write(asked - free), HeldBy: k.holders(ni, of, write)}
		r.Message = fmt.Sprintf("asks for %s %s, %s free of %s", r.Asked, name, r.Free, write(of(&ni.allocatable)))
		change := fmt.Sprintf("free %s %s on %s", r.Short, name, ni.node.Name)
		if asked > of(&ni.allocatable) {
			change = fmt.Sprintf("ask for at most %s %s", write(max(0, free)), name)
		}
		add(r, change)
	}
	one(shortCPU, v1.ResourceCPU, func(r *Resources) int64 { return r.MilliCPU }, true)
	one(shortMemory, v1.ResourceMemory, func(r *Resources) int64 { return r.Memory }, false)
	one(shortEphemeral, v1.ResourceEphemeralStorage, func(r *Resources) int64 { return r.Ephemeral }, false)
	for i, name := range k.scalars {
		one(1<<min(firstScalar+i, lastScalar), name, func(r *Resources) int64 { return r.Scalar[name] }, false)
	}
}

func quantity(name v1.ResourceName, n int64, milli bool) string {
	switch {
	case milli:
		return resource.NewMilliQuantity(n, resource.DecimalSI).String()
	case name == v1.ResourceMemory || name == v1.ResourceEphemeralStorage:
		return resource.NewQuantity(n, resource.BinarySI).String()
	}
	return resource.NewQuantity(n, resource.DecimalSI).String()
}

// amounts is what a pod asks for, in short.
func amounts(r *Resources) string {
	var parts []string
	if r.MilliCPU > 0 {
		parts = append(parts, quantity(v1.ResourceCPU, r.MilliCPU, true)+" cpu")
	}
	if r.Memory > 0 {
		parts = append(parts, quantity(v1.ResourceMemory, r.Memory, false)+" memory")
	}
	return strings.Join(parts, ", ")
}

// maxHolders is how many pods are named that hold something.
const maxHolders = 5

// holders are the pods of ni that have most of a resource.
func (k *class) holders(ni *nodeInfo, of func(*Resources) int64, write func(int64) string) []placement.Holder {
	pods := k.inTheWay(ni)
	slices.SortFunc(pods, func(a, b *Pod) int {
		return cmp.Or(cmp.Compare(of(&b.Request), of(&a.Request)), cmp.Compare(a.Name, b.Name))
	})
	var out []placement.Holder
	for _, p := range pods {
		if of(&p.Request) > 0 && len(out) < maxHolders {
			out = append(out, placement.Holder{Pod: p.Name, Amount: write(of(&p.Request)), Priority: p.Priority})
		}
	}
	return out
}

// inTheWay are the pods of ni, and those that room is kept for there, by name.
func (k *class) inTheWay(ni *nodeInfo) []*Pod {
	pods := slices.Collect(maps.Values(ni.pods))
	for _, p := range ni.nominated {
		if p.Priority >= k.rep.Priority {
			pods = append(pods, p)
		}
	}
	slices.SortFunc(pods, func(a, b *Pod) int { return cmp.Compare(a.Name, b.Name) })
	return pods
}

func (k *class) ports(ni *nodeInfo, add against) {
	for _, want := range k.rep.ports {
		r := placement.Reason{Constraint: "NodePorts", Message: fmt.Sprintf("host port %s is taken", want)}
		for _, p := range k.inTheWay(ni) {
			if slices.ContainsFunc(p.ports, want.conflicts) {
				r.HeldBy = append(r.HeldBy, placement.Holder{Pod: p.Name, Amount: want.String(), Priority: p.Priority})
			}
		}
		if len(r.HeldBy) > 0 {
			add(r, fmt.Sprintf("free host port %s on %s", want, ni.node.Name))
		}
	}
}
