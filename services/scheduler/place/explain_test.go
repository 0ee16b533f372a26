package place

import (
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/placement"
)

// TestExplain: what is said about one node that refuses a pod.
func TestExplain(t *testing.T) {
	zone := func(z string) func(*v1.Node) { return func(n *v1.Node) { n.Labels["zone"] = z } }
	tests := []struct {
		name   string
		node   *v1.Node
		placed []*v1.Pod
		pod    *v1.Pod
		reason placement.Reason
		held   []string
		change string
	}{
		{name: "cpu", node: node("a", "4", "8Gi"), placed: []*v1.Pod{pod("x", "2", "1Gi"), pod("y", "500m", "1Gi")}, pod: pod("p", "3", "1Gi"),
			reason: placement.Reason{Constraint: "NodeResourcesFit", Message: "asks for 3 cpu, 1500m free of 4", Resource: "cpu", Asked: "3", Free: "1500m", Short: "1500m"},
			held:   []string{"default/x 2", "default/y 500m"}, change: "free 1500m cpu on a"},
		{name: "more than there is", node: node("a", "4", "8Gi"), pod: pod("p", "5", "1Gi"),
			reason: placement.Reason{Constraint: "NodeResourcesFit", Message: "asks for 5 cpu, 4 free of 4", Resource: "cpu", Asked: "5", Free: "4", Short: "1"}, change: "ask for at most 4 cpu"},
		{name: "memory", node: node("a", "4", "8Gi"), placed: []*v1.Pod{pod("x", "0", "6Gi")}, pod: pod("p", "1", "4Gi"),
			reason: placement.Reason{Constraint: "NodeResourcesFit", Message: "asks for 4Gi memory, 2Gi free of 8Gi", Resource: "memory", Asked: "4Gi", Free: "2Gi", Short: "2Gi"}, held: []string{"default/x 6Gi"}, change: "free 2Gi memory on a"},
		{name: "cordoned", node: node("a", "4", "8Gi", func(n *v1.Node) { n.Spec.Unschedulable = true }), pod: pod("p", "1", "1Gi"),
			reason: placement.Reason{Constraint: "NodeUnschedulable", Message: "the node is cordoned"}, change: "uncordon a"},
		{name: "taint", node: node("a", "4", "8Gi", taint("k", "v", v1.TaintEffectNoSchedule)), pod: pod("p", "1", "1Gi"),
			reason: placement.Reason{Constraint: "TaintToleration", Message: "taint k=v:NoSchedule is not tolerated"}, change: "tolerate taint k=v:NoSchedule"},
		{name: "node selector", node: node("a", "4", "8Gi", zone("us")), pod: pod("p", "1", "1Gi", func(p *v1.Pod) { p.Spec.NodeSelector = map[string]string{"zone": "eu"} }),
			reason: placement.Reason{Constraint: "NodeAffinity", Message: "nodeSelector zone=eu, the node has zone=us"}, change: "label a with zone=eu"},
		{name: "host port", node: node("a", "4", "8Gi"), placed: []*v1.Pod{pod("x", "1m", "1Mi", hostPortOf(80))}, pod: pod("p", "1m", "1Mi", hostPortOf(80)),
			reason: placement.Reason{Constraint: "NodePorts", Message: "host port TCP/80 is taken"}, held: []string{"default/x TCP/80"}, change: "free host port TCP/80 on a"},
		{name: "anti-affinity", node: node("a", "4", "8Gi"), placed: []*v1.Pod{pod("x", "1m", "1Mi", app("web"))}, pod: pod("p", "1m", "1Mi", app("web"), antiAffinity),
			reason: placement.Reason{Constraint: "InterPodAffinity", Message: "its anti-affinity: 1 matching pods in kubernetes.io/hostname=a"}, held: []string{"default/x"}, change: "add a node with another kubernetes.io/hostname"},
		{name: "another's anti-affinity", node: node("a", "4", "8Gi"), placed: []*v1.Pod{pod("x", "1m", "1Mi", app("web"), antiAffinity)}, pod: pod("p", "1m", "1Mi", app("web")),
			reason: placement.Reason{Constraint: "InterPodAffinity", Message: "pods in kubernetes.io/hostname=a do not want it there"}, held: []string{"default/x"}, change: "move the pods that shun it"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := NewCluster(Policy{})
			c.SetNode(tt.node)
			for _, p := range tt.placed {
				c.SetPod(NewPod(p), "a")
			}
			e := c.Explain(NewPod(tt.pod))
			if len(e.Nodes) != 1 || len(e.Nodes[0].Refused) != 1 || e.Fits != 0 || e.Node != "" {
				t.Fatalf("%+v", e)
			}
			got := e.Nodes[0].Refused[0]
			var held []string
			for _, h := range got.HeldBy {
				held = append(held, strings.TrimSpace(h.Pod+" "+h.Amount))
			}
			got.HeldBy = nil
			if fmt.Sprint(got) != fmt.Sprint(tt.reason) || !slices.Equal(held, tt.held) || e.Change != tt.change {
				t.Errorf("%+v held by %q, change %q\nwant %+v held by %q, change %q", got, held, e.Change, tt.reason, tt.held, tt.change)
			}
		})
	}
}

// TestNearest: the node to which least is missing comes first.
func TestNearest(t *testing.T) {
	c := NewCluster(Policy{})
	c.SetNode(node("far", "8", "8Gi", taint("k", "v", v1.TaintEffectNoSchedule), func(n *v1.Node) { n.Spec.Unschedulable = true }))
	c.SetNode(node("full", "8", "8Gi"))
	c.SetPod(NewPod(pod("x", "8", "1Gi", prio(3))), "full")
	c.SetNode(node("near", "8", "8Gi"))
	c.SetPod(NewPod(pod("y", "5", "1Gi", prio(3))), "near")
	e := c.Explain(NewPod(pod("p", "4", "1Gi", prio(5))))
	if len(e.Nodes) != 3 || e.Nodes[0].Name != "near" || e.Nodes[2].Name != "far" || e.Change != "free 1 cpu on near" {
		t.Errorf("%+v", e)
	}
	if e.Preemption == nil || len(e.Preemption.Victims) != 1 || e.Preemption.Victims[0].Priority != 3 {
		t.Errorf("preemption %+v", e.Preemption)
	}
}

// TestScores: a placed pod is told what each node scored, as if it were placed now.
func TestScores(t *testing.T) {
	c := NewCluster(Policy{})
	c.SetNode(node("a", "4", "8Gi"))
	c.SetNode(node("b", "8", "16Gi"))
	p := NewPod(pod("p", "2", "4Gi"))
	n, _ := c.Decide(p)
	c.SetPod(p, n)
	e := c.Explain(p)
	if e.Node != "b" || e.Fits != 2 || len(e.Nodes) != 2 || e.Nodes[0].Name != "b" {
		t.Fatalf("%+v", e)
	}
	if s := e.Nodes[0].Score; s.ResourcesFit != 75 || s.BalancedAllocation != 100 || s.TaintToleration != 300 || s.Total != 475 {
		t.Errorf("%+v", s)
	}
}

// TestAskingChangesNothing: explaining and proposing leave the cluster as it was, and
// what is proposed is what is then decided.
func TestAskingChangesNothing(t *testing.T) {
	scored := 0
	defer func() {
		if scored < 500 {
			t.Errorf("only %d choices had a score", scored)
		}
	}()
	for seed := range int64(100) {
		r := maker{rand.New(rand.NewSource(seed))}
		c, twin := NewCluster(Policy{}), NewCluster(Policy{})
		for i := range 1 + r.Intn(6) {
			n := r.node(fmt.Sprintf("n%d", i))
			c.SetNode(n)
			twin.SetNode(n)
		}
		for i := range 30 {
			v := r.pod(fmt.Sprintf("p%d", i))
			v.Spec.Priority = ptr.To(int32(r.Intn(3)))
			p := NewPod(v)
			e := c.Explain(p)
			plan := c.Propose([]placement.Proposal{{Pod: v, Count: 1}}, func(*v1.Pod) *Together { return nil })
			n, err := c.Decide(p)
			if s := c.Scores(); err == nil && s != nil {
				if i := slices.IndexFunc(e.Nodes, func(o placement.Node) bool { return o.Name == string(n) }); i < 0 || *e.Nodes[i].Score != *s {
					t.Fatalf("seed %d: chosen with %+v, explained %+v", seed, *s, e.Nodes)
				}
				scored++
			}
			same, sameErr := twin.Decide(NewPod(v))
			if n != same || (err == nil) != (sameErr == nil) {
				t.Fatalf("seed %d: %q, %v; without asking %q, %v", seed, n, err, same, sameErr)
			}
			if (e.Fits > 0) != (err == nil) || (plan.Placements[0].Unplaced == 0) != (err == nil) || err == nil && plan.Placements[0].Nodes[string(n)] != 1 {
				t.Fatalf("seed %d: %v, but explained %+v, proposed %+v", seed, err, e, plan)
			}
			if err != nil {
				for _, node := range e.Nodes {
					if node.Fits || node.Change == "" {
						t.Fatalf("seed %d: nothing is said against %+v", seed, node)
					}
				}
				if r.Intn(3) == 0 {
					on := schemas.NodeName(fmt.Sprintf("n%d", r.Intn(c.Len())))
					c.Nominate(p, on)
					twin.Nominate(NewPod(v), on)
				}
				continue
			}
			c.SetPod(p, n)
			twin.SetPod(NewPod(v), schemas.NodeName(n))
		}
	}
}
