package place

import (
	"fmt"
	"math/rand"
	"testing"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/skerry/skerry/schemas"
)

// playGangs lives through gangs that come, drive others out and go, and compares with the
// slow rules: all or none, each allowed beside those before it, and whoever is driven out
// makes enough room.
func playGangs(t *testing.T, seed int64, steps int) {
	r := maker{rand.New(rand.NewSource(seed))}
	w, c := newWorld(), NewCluster(Policy{})
	for i := range 2 + r.Intn(5) {
		n := r.node(fmt.Sprintf("n%d", i))
		w.nodes[n.Name] = n
		c.SetNode(n)
	}
	for i := range steps {
		if r.Intn(3) == 0 {
			r.budget(w, c)
		}
		for range r.Intn(4) {
			remove(r, w, c)
		}
		kind := r.pod(fmt.Sprintf("kind%d", i))
		kind.DeletionTimestamp = nil
		kind.Spec.Priority = ptr.To(int32(r.Intn(4)))
		members := make([]*v1.Pod, 1+r.Intn(5))
		for k := range members {
			members[k] = kind.DeepCopy()
			members[k].Name, members[k].UID = fmt.Sprintf("g%d-%d", i, k), types.UID(fmt.Sprintf("g%d-%d", i, k))
		}
		if gang(t, w, c, members, 1+r.Intn(len(members))); t.Failed() {
			t.Fatalf("seed %d step %d\n%s", seed, i, w)
		}
	}
}

func gang(t *testing.T, w *world, c *Cluster, members []*v1.Pod, need int) {
	t.Helper()
	pods := make([]*Pod, len(members))
	for i, m := range members {
		pods[i] = NewPod(m)
	}
	got := c.PlaceGang(pods, need)
	if got.Placed < need {
		if unchanged(t, w, c, members[0]); t.Failed() {
			return
		}
		room := c.PreemptGang(pods, need)
		if unchanged(t, w, c, members[0]); t.Failed() || room == nil {
			return
		}
		for i, pre := range room {
			if pre.Node != "" {
				c.Nominate(pods[i], pre.Node)
			}
			for _, v := range pre.Victims {
				if v.Priority >= pods[i].Priority || w.pods[v.UID] == nil {
					t.Errorf("%s is driven out, of priority %d for %d", v.Name, v.Priority, pods[i].Priority)
				}
				delete(w.pods, v.UID)
				c.RemovePod(v.UID)
			}
		}
		if got = c.PlaceGang(pods, need); got.Placed < need {
			t.Errorf("%d of %d fit, %d must, although room was made: %+v", got.Placed, len(pods), need, room)
			return
		}
	}
	for i, on := range got.Nodes {
		if on == "" {
			continue
		}
		at := members[i].DeepCopy()
		at.Spec.NodeName = string(on)
		if !w.allowsNow(members[i], w.nodes[string(on)]) {
			t.Errorf("%s may not be on %s", members[i].Name, on)
		}
		w.pods[at.UID] = at
	}
	for i := range pods {
		c.Unnominate(pods[i].UID)
	}
}

// unchanged tells whether the cluster still agrees with the world.
func unchanged(t *testing.T, w *world, c *Cluster, p *v1.Pod) {
	t.Helper()
	k := c.class(NewPod(p))
	for _, n := range w.nodes {
		if want, got := w.allows(p, n), k.fits(c.byName[schemas.NodeName(n.Name)].slot); want != got {
			t.Errorf("%s on %s: %v, want %v as before", p.Name, n.Name, got, want)
		}
	}
	if len(c.nominated) != 0 || len(c.pods) != len(w.pods) {
		t.Errorf("room is kept for %d, %d pods are placed, want %d", len(c.nominated), len(c.pods), len(w.pods))
	}
}

func TestGangsAsTheSlowWay(t *testing.T) {
	for seed := range int64(320) {
		playGangs(t, seed, 30)
	}
	playGangs(t, 5328, 30) // who was driven out last was the company of one before
}

// FuzzGangs is the same from any seed.
func FuzzGangs(f *testing.F) {
	f.Add(int64(1), uint8(20))
	f.Add(int64(308), uint8(30))  // who left last was the company of those before
	f.Add(int64(5328), uint8(30)) // the others' kept room was in the way
	f.Fuzz(func(t *testing.T, seed int64, steps uint8) { playGangs(t, seed, int(steps)) })
}
