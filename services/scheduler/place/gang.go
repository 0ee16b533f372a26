package place

import (
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/placement"
)

// Gang is what becomes of pods that are placed together.
type Gang struct {
	// Nodes is where each pod goes, in the order of the pods; "" where it does not fit.
	Nodes  []schemas.NodeName
	Placed int
	// Scores are what the nodes scored that were chosen; nil where room had been kept.
	Scores []*placement.Score
	// Refused is why a pod does not fit.
	Refused []string
}

// PlaceGang places as many of pods as fit, one after the other, if these are at least
// need; else none, and the cluster is as it was.
func (c *Cluster) PlaceGang(pods []*Pod, need int) *Gang {
	g, kept := c.tryGang(pods)
	if g.Placed < need {
		c.undo(pods, kept)
	}
	return g
}

// tryGang places what fits of pods, and returns where room had been kept for them.
func (c *Cluster) tryGang(pods []*Pod) (*Gang, []placed) {
	g := &Gang{Nodes: make([]schemas.NodeName, len(pods)), Scores: make([]*placement.Score, len(pods)), Refused: make([]string, len(pods))}
	kept := c.giveUp(pods)
	own := make(map[types.UID]schemas.NodeName, len(kept))
	for _, at := range kept {
		own[at.pod.UID] = at.node
	}
	for i, p := range pods {
		node, err := c.decideAt(p, own[p.UID])
		if err != nil {
			g.Refused[i] = err.Error()
			continue
		}
		g.Scores[i] = c.Scores()
		c.SetPod(p, node)
		g.Nodes[i] = node
		g.Placed++
	}
	return g, kept
}

// decideAt is Decide for a pod of a gang, which gets the room that was kept for it.
func (c *Cluster) decideAt(p *Pod, own schemas.NodeName) (schemas.NodeName, error) {
	if own != "" && c.Fits(p, own) == nil {
		c.chosen = chosen{}
		return own, nil
	}
	return c.Decide(p)
}

// giveUp gives up the room that is kept for pods, and returns it: pods of a gang come one
// after the other and are not in each other's way before.
func (c *Cluster) giveUp(pods []*Pod) (kept []placed) {
	for _, p := range pods {
		if at, ok := c.nominated[p.UID]; ok {
			kept = append(kept, at)
			c.Unnominate(p.UID)
		}
	}
	return kept
}

// undo takes pods out again, and keeps the room that was kept for them.
func (c *Cluster) undo(pods []*Pod, kept []placed) {
	for _, p := range pods {
		c.RemovePod(p.UID)
	}
	for _, at := range kept {
		c.Nominate(at.pod, at.node)
	}
}

// PreemptGang finds room for need of pods, which do not fit, at the cost of less
// important ones: what each pod takes, in the order of the pods, and "" as its node if it
// is not needed. Without enough for all of need it returns nil, or if room is being made
// already. The cluster is as it was afterwards.
func (c *Cluster) PreemptGang(pods []*Pod, need int) []Preemption {
	if slices.ContainsFunc(pods, c.Waits) {
		return nil
	}
	kept := c.giveUp(pods)
	out, count := make([]Preemption, len(pods)), 0
	var gone []placed
	for i, p := range pods {
		if count == need {
			break
		}
		node, err := c.Decide(p)
		if err == nil {
			out[i].Node = node
		} else if pre, _ := c.Preempt(p); pre != nil {
			out[i] = *pre
			for _, v := range pre.Victims {
				gone = append(gone, placed{v, pre.Node})
				c.RemovePod(v.UID)
				c.spend(v, -1)
			}
		} else {
			continue
		}
		c.SetPod(p, out[i].Node)
		count++
	}
	c.undo(pods, nil)
	enough := count == need && c.holds(pods, out)
	for _, v := range slices.Backward(gone) {
		c.spend(v.pod, 1)
		c.SetPod(v.pod, v.node)
	}
	for _, at := range kept {
		c.Nominate(at.pod, at.node)
	}
	if !enough {
		return nil
	}
	return out
}

// holds tells whether pods can take their room one after the other once all victims have
// left: who was driven out last may have been the company of those before.
func (c *Cluster) holds(pods []*Pod, room []Preemption) bool {
	defer c.undo(pods, nil)
	for i, p := range pods {
		if room[i].Node == "" {
			continue
		}
		if c.Fits(p, room[i].Node) != nil {
			return false
		}
		c.SetPod(p, room[i].Node)
	}
	return true
}

// spend counts p's eviction on its budgets (-1), or takes that back.
func (c *Cluster) spend(p *Pod, by int32) {
	for _, b := range c.budgetsOf(p) {
		if !b.Going[podName(p)] {
			b.Allowed += by
			c.forgetVictims()
		}
	}
}
