package place

import (
	"fmt"
	"math/rand"
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// TestGangInOneDomain: from any state a gang that stays together is in one domain or
// nowhere, no domain would have taken more of it, and a refusal leaves no trace.
func TestGangInOneDomain(t *testing.T) {
	const key = "topology.kubernetes.io/zone"
	together, refused := 0, 0
	for seed := range int64(400) {
		r := maker{rand.New(rand.NewSource(seed))}
		w, c := newWorld(), NewCluster(Policy{})
		for i := range 3 + r.Intn(5) {
			n := r.node(fmt.Sprintf("n%d", i))
			if r.Intn(5) > 0 {
				n.Labels[key] = fmt.Sprintf("z%d", r.Intn(3))
			}
			w.nodes[n.Name] = n
			c.SetNode(n)
		}
		for i := range 8 {
			kind := r.pod(fmt.Sprintf("kind%d", i))
			kind.DeletionTimestamp = nil
			members, pods := make([]*v1.Pod, 1+r.Intn(5)), []*Pod{}
			for k := range members {
				members[k] = kind.DeepCopy()
				members[k].Name, members[k].UID = fmt.Sprintf("g%d-%d", i, k), types.UID(fmt.Sprintf("g%d-%d", i, k))
				pods = append(pods, NewPod(members[k]))
			}
			need, most := 1+r.Intn(len(members)), 0
			for _, f := range c.fullest(key) {
				g, kept := c.tryGang(within(f, pods))
				c.undo(pods, kept)
				most = max(most, g.Placed)
			}
			got := c.PlaceGangIn(pods, need, key, nil)
			if got.Placed != most {
				t.Fatalf("seed %d step %d: %d are placed, %d would fit\n%s", seed, i, got.Placed, most, w)
			}
			if got.Placed < need {
				refused++
				if unchanged(t, w, c, members[0]); t.Failed() {
					t.Fatalf("seed %d step %d", seed, i)
				}
				continue
			}
			together++
			zone := ""
			for k, on := range got.Nodes {
				if on == "" {
					continue
				}
				n := w.nodes[string(on)]
				if z, ok := n.Labels[key]; !ok || zone != "" && z != zone {
					t.Fatalf("seed %d step %d: in %q and %q\n%s", seed, i, zone, z, w)
				}
				zone = n.Labels[key]
				if !w.allowsNow(members[k], n) {
					t.Fatalf("seed %d step %d: %s may not be on %s\n%s", seed, i, members[k].Name, on, w)
				}
				at := members[k].DeepCopy()
				at.Spec.NodeName = string(on)
				w.pods[at.UID] = at
			}
		}
	}
	if together < 100 || refused < 100 {
		t.Errorf("%d placed, %d refused: nothing is tested", together, refused)
	}
}

// TestLaterMembersJoin: who comes later goes where the others are, or waits.
func TestLaterMembersJoin(t *testing.T) {
	c := NewCluster(Policy{})
	in := func(rack string) func(*v1.Node) {
		return func(n *v1.Node) { n.Labels = map[string]string{"rack": rack} }
	}
	c.SetNode(node("a1", "2", "8Gi", in("a")))
	c.SetNode(node("b1", "4", "8Gi", in("b")))
	var pods []*Pod
	for i := range 5 {
		pods = append(pods, NewPod(pod(fmt.Sprintf("p%d", i), "1", "1Gi")))
	}
	got := c.PlaceGangIn(pods[:3], 3, "rack", nil)
	if got.Placed != 3 || got.Nodes[0] != "b1" || got.Scores[2] == nil {
		t.Fatalf("%+v", got)
	}
	got = c.PlaceGangIn(pods[3:], 0, "rack", []types.UID{pods[0].UID})
	if got.Placed != 1 || got.Nodes[0] != "b1" || !strings.Contains(got.Refused[1], "1 Insufficient cpu") || !strings.Contains(got.Refused[1], "1 "+reasonFence) {
		t.Errorf("%+v", got)
	}
	if got = c.PlaceGangIn(pods[4:], 1, "row", nil); got.Placed != 0 || !strings.Contains(got.Refused[0], "no node has the label row") {
		t.Errorf("%+v", got)
	}
}
