package place

import (
	"cmp"
	"fmt"
	"slices"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/placement"
)

// fence is where a pod's group must be: on nodes whose label key has that value.
type fence struct{ key, value string }

func (f fence) keepsOut(n *v1.Node) bool {
	if f.key == "" {
		return false
	}
	value, ok := n.Labels[f.key]
	return !ok || value != f.value
}

// within are pods that may only be inside f.
func within(f fence, pods []*Pod) []*Pod {
	out := make([]*Pod, len(pods))
	for i, p := range pods {
		q, own := *p, *p.traits
		own.fence = f
		q.traits, q.key, q.looks = &own, "", nil
		out[i] = &q
	}
	return out
}

// PlaceGangIn is PlaceGang for pods that must all be in one domain, which is the nodes with
// the same value of the label key: the one in which most of them fit, and of equal ones the
// fullest, so that large groups find room later. Beside are pods of the group that have a
// node: theirs is the domain.
func (c *Cluster) PlaceGangIn(pods []*Pod, need int, key string, beside []types.UID) *Gang {
	var best *Gang
	var in fence
	for _, f := range c.domains(key, beside) {
		fenced := within(f, pods)
		g, kept := c.tryGang(fenced)
		if g.Placed == len(pods) && g.Placed >= need {
			return g
		}
		c.undo(fenced, kept)
		if best == nil || g.Placed > best.Placed {
			best, in = g, f
		}
	}
	switch {
	case best == nil:
		best = &Gang{Nodes: make([]schemas.NodeName, len(pods)), Scores: make([]*placement.Score, len(pods)), Refused: make([]string, len(pods))}
		for i := range pods {
			best.Refused[i] = fmt.Sprintf("no node has the label %s, by which the pod group stays together.", key)
		}
	case best.Placed >= need:
		best = c.PlaceGang(within(in, pods), need)
	}
	return best
}

// domains are where a group can be whose pods beside have a node already.
func (c *Cluster) domains(key string, beside []types.UID) []fence {
	for _, uid := range beside {
		if ni := c.byName[c.pods[uid].node]; ni != nil {
			if d, ok := ni.node.Labels[key]; ok {
				return []fence{{key, d}}
			}
		}
	}
	return c.fullest(key)
}

// fullest are the domains of the label key, the fullest first.
func (c *Cluster) fullest(key string) []fence {
	type sum struct{ used, all [2]float64 }
	sums := map[string]*sum{}
	for _, n := range c.slots {
		if n == nil {
			continue
		}
		d, ok := n.node.Labels[key]
		if !ok {
			continue
		}
		s := sums[d]
		if s == nil {
			s = &sum{}
			sums[d] = s
		}
		s.used[0] += float64(n.requested.MilliCPU)
		s.used[1] += float64(n.requested.Memory)
		s.all[0] += float64(n.allocatable.MilliCPU)
		s.all[1] += float64(n.allocatable.Memory)
	}
	full := func(d string) float64 {
		s := sums[d]
		return s.used[0]/max(1, s.all[0]) + s.used[1]/max(1, s.all[1])
	}
	out := make([]fence, 0, len(sums))
	for d := range sums {
		out = append(out, fence{key, d})
	}
	slices.SortFunc(out, func(a, b fence) int {
		return cmp.Or(cmp.Compare(full(b.value), full(a.value)), cmp.Compare(a.value, b.value))
	})
	return out
}
