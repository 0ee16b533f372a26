package place

import (
	"fmt"
	"testing"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/skerry/skerry/schemas"
)

func ownedBy(uid string) func(*v1.Pod) {
	return func(p *v1.Pod) {
		p.OwnerReferences = []metav1.OwnerReference{{UID: types.UID(uid), Controller: ptr.To(true)}}
	}
}

func anybody(*Pod) bool { return true }

// settle moves until nothing is left to move.
func settle(t *testing.T, c *Cluster) (moves int) {
	t.Helper()
	for range 100 {
		round := c.Moves(3, anybody)
		if len(round) == 0 {
			return moves
		}
		for _, m := range round {
			if at, _ := c.Node(m.Pod.UID); at != m.From {
				t.Fatalf("%s is on %s, not %s: asking changed the cluster", m.Pod.Name, at, m.From)
			}
			c.SetPod(m.Pod, m.To)
			moves++
		}
	}
	t.Fatal("pods move for ever")
	return 0
}

func TestANodeJoins(t *testing.T) {
	c := NewCluster(Policy{})
	for i := range 2 {
		c.SetNode(node(fmt.Sprintf("n%d", i), "8", "16Gi"))
	}
	for i := range 12 {
		on := fmt.Sprintf("n%d", i%2)
		p := NewPod(pod(fmt.Sprintf("p%d", i), "1", "1Gi", ownedBy("rs"), func(p *v1.Pod) { p.Spec.NodeName = on }))
		c.class(p) // somebody asked about it
		c.SetPod(p, schemas.NodeName(on))
	}
	if moves := c.Moves(10, anybody); len(moves) != 0 {
		t.Fatalf("an even cluster is moved: %+v", moves)
	}
	c.SetNode(node("n2", "8", "16Gi"))
	settle(t, c)
	if n := len(c.byName["n2"].pods); n < 3 {
		t.Errorf("the new node has %d of 12 pods", n)
	}
}

func TestSpreadDecays(t *testing.T) {
	c := NewCluster(Policy{})
	for i := range 3 {
		c.SetNode(node(fmt.Sprintf("n%d", i), "80", "160Gi", func(n *v1.Node) { n.Labels["zone"] = fmt.Sprint("z", i) }))
	}
	for i := range 6 {
		c.SetPod(NewPod(pod(fmt.Sprintf("p%d", i), "1m", "1Mi", ownedBy("rs"), app("web"), func(p *v1.Pod) {
			p.Spec.TopologySpreadConstraints = []v1.TopologySpreadConstraint{{MaxSkew: 1, TopologyKey: "zone", WhenUnsatisfiable: v1.DoNotSchedule, LabelSelector: &metav1.LabelSelector{MatchLabels: p.Labels}}}
		})), "n0")
	}
	if moves := settle(t, c); moves > 5 {
		t.Errorf("%d moves for 6 pods", moves)
	}
	for name, n := range c.byName {
		if len(n.pods) < 1 || len(n.pods) > 3 {
			t.Errorf("%s has %d of 6 pods", name, len(n.pods))
		}
	}
}

// TestNobodyElseMoves: pods that nobody makes again, that are on their way out, or that
// the caller spares stay.
func TestNobodyElseMoves(t *testing.T) {
	c := NewCluster(Policy{})
	c.SetNode(node("n0", "4", "8Gi"))
	c.SetNode(node("n1", "4", "8Gi"))
	c.SetPod(NewPod(pod("bare", "1", "1Gi")), "n0")
	c.SetPod(NewPod(pod("going", "1", "1Gi", ownedBy("a"), func(p *v1.Pod) { p.DeletionTimestamp = &metav1.Time{} })), "n0")
	c.SetPod(NewPod(pod("spared", "1", "1Gi", ownedBy("b"))), "n0")
	if moves := c.Moves(10, func(p *Pod) bool { return p.UID != "spared" }); len(moves) != 0 {
		t.Errorf("%+v", moves)
	}
	if moves := c.Moves(10, anybody); len(moves) != 1 || moves[0].Pod.UID != "spared" {
		t.Errorf("%+v", moves)
	}
	c.SetBudget(&Budget{Namespace: "default", Name: "all", Selector: labels.Everything()})
	if moves := c.Moves(10, anybody); len(moves) != 0 {
		t.Errorf("against a budget: %+v", moves)
	}
}
