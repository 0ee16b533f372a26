package place

import (
	"fmt"
	"math/rand"
	"testing"

	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/schemas"
)

// TestTheShortWayIsTheSame: the few passes for replicas find a node that scores as high
// as any by the long way.
func TestTheShortWayIsTheSame(t *testing.T) {
	for seed := range int64(50) {
		r := rand.New(rand.NewSource(seed))
		c := NewCluster(Policy{})
		for i := range 2 + r.Intn(12) {
			c.SetNode(node(fmt.Sprintf("n%d", i), fmt.Sprint(2+r.Intn(8)), "16Gi", func(n *v1.Node) {
				if r.Intn(4) > 0 {
					n.Labels[v1.LabelTopologyZone] = fmt.Sprint("z", r.Intn(3))
				}
			}))
		}
		for i := range 30 {
			p := NewPod(pod(fmt.Sprintf("p%d", i), "300m", "100Mi", owned))
			k := c.class(p)
			if !k.evenly() {
				t.Fatal("not the short way")
			}
			got := k.bestEven(c)
			k.survey(c)
			want, at := shutScore, shutScore
			for j, s := range c.feasible {
				want = max(want, c.total[j])
				if int(s) == got {
					at = c.total[j]
				}
			}
			if got < 0 != (len(c.feasible) == 0) || got >= 0 && want-at > 0.01 {
				t.Fatalf("seed %d: slot %d scores %f, another one %f", seed, got, at, want)
			}
			if got >= 0 {
				c.SetPod(p, schemas.NodeName(c.slots[got].node.Name))
			}
		}
	}
}
