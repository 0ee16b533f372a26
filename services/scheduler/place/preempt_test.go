package place

import (
	"fmt"
	"math/rand"
	"slices"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/utils/ptr"

	"github.com/skerry/skerry/schemas"
)

func prio(n int32) func(*v1.Pod) { return func(p *v1.Pod) { p.Spec.Priority = &n } }

func started(s int64) func(*v1.Pod) {
	return func(p *v1.Pod) { p.Status.StartTime = &metav1.Time{Time: time.Unix(s, 0)} }
}

func app(name string) func(*v1.Pod) {
	return func(p *v1.Pod) { p.Labels = map[string]string{"app": name} }
}

func TestPreempt(t *testing.T) {
	type on map[string][]*v1.Pod
	one := []*v1.Node{node("a", "2", "8Gi")}
	two := []*v1.Node{node("a", "2", "8Gi"), node("b", "2", "8Gi")}
	tests := []struct {
		name    string
		nodes   []*v1.Node
		placed  on
		budgets []*Budget
		pod     *v1.Pod
		node    string
		victims []string
		why     string
	}{
		{name: "the lower pod goes", nodes: one, placed: on{"a": {pod("low", "2", "1Gi")}}, pod: pod("p", "1", "1Gi", prio(1)), node: "a", victims: []string{"low"}},
		{name: "an equal pod stays", nodes: one, placed: on{"a": {pod("low", "2", "1Gi", prio(1))}}, pod: pod("p", "1", "1Gi", prio(1)),
			why: "0/1 nodes are available: 1 No preemption victims found for incoming pod."},
		{name: "no more than needed", nodes: one, placed: on{"a": {pod("x", "1", "1Gi", started(5)), pod("y", "1", "1Gi", started(9))}}, pod: pod("p", "1", "1Gi", prio(1)),
			node: "a", victims: []string{"y"}},
		{name: "it would not help", nodes: one, placed: on{"a": {pod("x", "1", "1Gi")}}, pod: pod("p", "1", "1Gi", prio(1), func(p *v1.Pod) { p.Spec.NodeSelector = map[string]string{"x": "y"} }),
			why: "0/1 nodes are available: 1 Preemption is not helpful for scheduling."},
		{name: "never", nodes: one, placed: on{"a": {pod("x", "2", "1Gi")}}, pod: pod("p", "1", "1Gi", prio(1), func(p *v1.Pod) { p.Spec.PreemptionPolicy = ptr.To(v1.PreemptNever) }),
			why: "not eligible due to preemptionPolicy=Never."},
		{name: "the lowest of the highest priorities", nodes: two, placed: on{"a": {pod("x", "2", "1Gi", prio(5))}, "b": {pod("y", "2", "1Gi", prio(3))}}, pod: pod("p", "1", "1Gi", prio(9)), node: "b", victims: []string{"y"}},
		{name: "the smallest sum", nodes: two, placed: on{"a": {pod("x", "1", "1Gi", prio(5)), pod("w", "1", "1Gi", prio(5))}, "b": {pod("y", "2", "1Gi", prio(5))}}, pod: pod("p", "2", "1Gi", prio(9)), node: "b", victims: []string{"y"}},
		{name: "the smaller sum of as many", nodes: two, placed: on{"a": {pod("x", "1", "1Gi", prio(5)), pod("w", "1", "1Gi", prio(3))}, "b": {pod("y", "1", "1Gi", prio(5)), pod("z", "1", "1Gi", prio(1))}}, pod: pod("p", "2", "1Gi", prio(9)), node: "b", victims: []string{"y", "z"}},
		{name: "the smaller sum of as many, the other way", nodes: two, placed: on{"a": {pod("x", "1", "1Gi", prio(5)), pod("w", "1", "1Gi", prio(1))}, "b": {pod("y", "1", "1Gi", prio(5)), pod("z", "1", "1Gi", prio(3))}}, pod: pod("p", "2", "1Gi", prio(9)), node: "a", victims: []string{"x", "w"}},
		{name: "the latest start", nodes: two, placed: on{"a": {pod("x", "2", "1Gi", started(5))}, "b": {pod("y", "2", "1Gi", started(9))}}, pod: pod("p", "2", "1Gi", prio(9)), node: "b", victims: []string{"y"}},
		{name: "budgets before priorities", nodes: two, placed: on{"a": {pod("x", "2", "1Gi", prio(5))}, "b": {pod("y", "2", "1Gi", prio(3), app("db"))}}, pod: pod("p", "1", "1Gi", prio(9)),
			budgets: []*Budget{{Namespace: "default", Name: "db", Selector: labels.SelectorFromSet(labels.Set{"app": "db"})}}, node: "a", victims: []string{"x"}},
		{name: "a budget that allows one", nodes: one, placed: on{"a": {pod("x", "1", "1Gi", app("db")), pod("y", "1", "1Gi", app("db"), started(9))}}, pod: pod("p", "1", "1Gi", prio(9)),
			budgets: []*Budget{{Namespace: "default", Name: "db", Selector: labels.Everything(), Allowed: 1}}, node: "a", victims: []string{"x"}},
		{name: "a pod that shuns", nodes: one, placed: on{"a": {pod("x", "1m", "1Gi", app("web")), pod("y", "1m", "1Gi", app("db"))}}, pod: pod("p", "1m", "1Gi", prio(9), app("web"), antiAffinity), node: "a", victims: []string{"x"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := NewCluster(Policy{})
			for _, n := range tt.nodes {
				c.SetNode(n)
			}
			for node, pods := range tt.placed {
				for _, p := range pods {
					c.SetPod(NewPod(p), schemas.NodeName(node))
				}
			}
			for _, b := range tt.budgets {
				c.SetBudget(b)
			}
			p := NewPod(tt.pod)
			if n, err := c.Decide(p); err == nil {
				t.Fatalf("it fits on %s", n)
			}
			got, why := c.Preempt(p)
			if why != tt.why || (got == nil) != (tt.node == "") {
				t.Fatalf("%+v, %q, want %q", got, why, tt.why)
			}
			if got == nil {
				return
			}
			var names []string
			for _, v := range got.Victims {
				names = append(names, podName(v))
			}
			if string(got.Node) != tt.node || !slices.Equal(names, tt.victims) {
				t.Errorf("%v on %s, want %v on %s", names, got.Node, tt.victims, tt.node)
			}
		})
	}
}

// TestRoomIsKept: while victims are on their way out, nobody of lower priority takes
// the room, and the pod that it is kept for gets it.
func TestRoomIsKept(t *testing.T) {
	c := NewCluster(Policy{})
	c.SetNode(node("a", "2", "8Gi"))
	high := NewPod(pod("high", "2", "1Gi", prio(5)))
	c.Nominate(high, "a")
	if n, err := c.Decide(NewPod(pod("low", "1", "1Gi"))); err == nil {
		t.Errorf("low is placed on %s", n)
	}
	if n, err := c.Decide(NewPod(pod("higher", "1", "1Gi", prio(6)))); err != nil || n != "a" {
		t.Errorf("higher: %q, %v", n, err)
	}
	if n, err := c.Decide(high); err != nil || n != "a" {
		t.Errorf("high: %q, %v", n, err)
	}
	if _, ok := c.Nominated("high"); ok {
		t.Error("the room is kept although it was given")
	}
}

// TestCompanyIsKept: who comes meanwhile must get along with those that room is kept for,
// in both directions, and in the whole domain.
func TestCompanyIsKept(t *testing.T) {
	zone := func(name string) func(*v1.Node) { return func(n *v1.Node) { n.Labels["zone"] = name } }
	shuns := func(who string) func(*v1.Pod) {
		return func(p *v1.Pod) {
			p.Spec.Affinity = &v1.Affinity{PodAntiAffinity: &v1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []v1.PodAffinityTerm{{
				TopologyKey: "zone", LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": who}},
			}}}}
		}
	}
	for name, pods := range map[string][2]*v1.Pod{
		"it shuns the other": {pod("high", "1", "1Gi", prio(5), app("db"), shuns("web")), pod("low", "1", "1Gi", app("web"))},
		"the other shuns it": {pod("high", "1", "1Gi", prio(5), app("db")), pod("low", "1", "1Gi", app("web"), shuns("db"))},
	} {
		t.Run(name, func(t *testing.T) {
			c := NewCluster(Policy{})
			c.SetNode(node("a1", "4", "8Gi", zone("a")))
			c.SetNode(node("a2", "4", "8Gi", zone("a")))
			c.Nominate(NewPod(pods[0]), "a1")
			if n, err := c.Decide(NewPod(pods[1])); err == nil {
				t.Errorf("placed on %s", n)
			}
			e := c.Explain(NewPod(pods[1]))
			for _, n := range e.Nodes {
				if n.Fits || len(n.Refused) != 1 || n.Refused[0].Constraint != "InterPodAffinity" || len(n.Refused[0].HeldBy) != 1 || n.Refused[0].HeldBy[0].Pod != "default/high" {
					t.Errorf("%+v", n)
				}
			}
			important := pods[1].DeepCopy()
			important.Spec.Priority = ptr.To(int32(6))
			if _, err := c.Decide(NewPod(important)); err != nil {
				t.Errorf("a more important one waits: %v", err)
			}
			c.SetNode(node("b1", "4", "8Gi", zone("b")))
			if n, err := c.Decide(NewPod(pods[1])); err != nil || n != "b1" {
				t.Errorf("%q, %v; want b1", n, err)
			}
			c.Unnominate("high")
			if _, err := c.Decide(NewPod(pods[1])); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestPreemptionHelps: on random clusters, what Preempt names is enough, and no victim
// is named for nothing.
func TestPreemptionHelps(t *testing.T) {
	found := 0
	for seed := range int64(300) {
		r := maker{rand.New(rand.NewSource(seed))}
		c := NewCluster(Policy{})
		for i := range 1 + r.Intn(4) {
			c.SetNode(r.node(fmt.Sprintf("n%d", i)))
		}
		for i := range 20 {
			p := r.pod(fmt.Sprintf("p%d", i))
			p.Spec.Priority = ptr.To(int32(r.Intn(3)))
			if n, err := c.Decide(NewPod(p)); err == nil {
				c.SetPod(NewPod(p), n)
			}
		}
		p := r.pod("high")
		p.Spec.Priority = ptr.To(int32(5))
		if _, err := c.Decide(NewPod(p)); err == nil {
			continue
		}
		pre, _ := c.Preempt(NewPod(p))
		if pre == nil {
			continue
		}
		found++
		for _, v := range pre.Victims {
			c.RemovePod(v.UID)
		}
		slot := c.byName[pre.Node].slot
		if !c.class(NewPod(p)).fits(slot) {
			t.Errorf("seed %d: it does not fit on %s without its victims", seed, pre.Node)
		}
		for _, v := range pre.Victims {
			c.SetPod(v, pre.Node)
			if c.class(NewPod(p)).fits(slot) {
				t.Errorf("seed %d: %s need not have gone", seed, v.Name)
			}
			c.RemovePod(v.UID)
		}
	}
	if found < 20 {
		t.Errorf("only %d preemptions", found)
	}
}
