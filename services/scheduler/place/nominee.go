package place

import (
	"cmp"
	"slices"

	"github.com/skerry/skerry/schemas/placement"
)

// Room that is kept for a pod is more than resources and ports: those that come
// meanwhile must also get along with it. As in Kubernetes a pod may be where it would be
// allowed both without those that room is kept for and with them; here with all of them,
// wherever they will be, so that a zone is kept as a node is.

// nominees are the pods that room is kept for and that matter to k's: they are as
// important, and they or k's care about each other's place.
func (k *class) nominees(c *Cluster) (list []placed) {
	shy := false
	for _, p := range c.nominated {
		if p.pod.Priority >= k.rep.Priority && c.byName[p.node] != nil {
			list = append(list, p)
			shy = shy || p.pod.shuns()
		}
	}
	if k.plain() && !shy {
		return nil
	}
	return list
}

// shuns tells whether p keeps others from its domain.
func (p *Pod) shuns() bool {
	return p.spec.Affinity != nil && p.spec.Affinity.PodAntiAffinity != nil && len(p.compiled().anti) > 0
}

// attend counts p as if it were on ni, in all but resources and ports, or no longer.
func (c *Cluster) attend(p *Pod, ni *nodeInfo, by int32) {
	in := c.inNamespace[p.Namespace]
	switch {
	case by < 0:
		if delete(in, p); len(in) == 0 {
			delete(c.inNamespace, p.Namespace)
		}
	default:
		if in == nil {
			in = map[*Pod]*nodeInfo{}
			c.inNamespace[p.Namespace] = in
		}
		in[p] = ni
	}
	c.count(p, ni, by)
	c.touch(ni.slot)
}

// amid calls f while the pods that room is kept for count as if they were there.
func (k *class) amid(c *Cluster, nominees []placed, f func()) {
	for _, p := range nominees {
		c.attend(p.pod, c.byName[p.node], 1)
	}
	k.refresh(c)
	f()
	for _, p := range nominees {
		c.attend(p.pod, c.byName[p.node], -1)
	}
	k.refresh(c)
}

// bar shuts the nodes where k's would not get along with those that room is kept for;
// unbar opens them again.
func (k *class) bar(c *Cluster) {
	nominees := k.nominees(c)
	if len(nominees) == 0 {
		return
	}
	k.amid(c, nominees, func() {
		for s, shut := range k.shut {
			if shut {
				continue
			}
			if why := k.crossed(s); why != "" {
				if k.barred == nil {
					k.barred = map[int]string{}
				}
				k.barred[s] = why
			}
		}
	})
	for s := range k.barred {
		k.shut[s], k.local[s] = true, shutScore
		if k.rank != nil {
			k.rank.fix(s)
		}
	}
}

func (k *class) unbar(c *Cluster) {
	for s := range k.barred {
		k.measure(c, c.slots[s])
		if k.rank != nil {
			k.rank.fix(s)
		}
	}
	k.barred = nil
}

// along tells whether k's get along, on a slot that they fit on, with those that room is
// kept for.
func (k *class) along(c *Cluster, nominees []placed, slot int) (yes bool) {
	if len(nominees) == 0 {
		return true
	}
	k.amid(c, nominees, func() { yes = k.crossed(slot) == "" })
	return yes
}

// bars tells that room which is kept for others keeps k's from ni.
func (k *class) bars(c *Cluster, ni *nodeInfo, add against) {
	why := k.barred[ni.slot]
	if why == "" {
		return
	}
	r := placement.Reason{Constraint: "InterPodAffinity", Message: "once the pods are there that room is kept for: " + why}
	if why == reasonSpread || why == reasonSpreadLabel {
		r.Constraint = "PodTopologySpread"
	}
	for _, p := range k.nominees(c) {
		r.HeldBy = append(r.HeldBy, placement.Holder{Pod: p.pod.Name, Priority: p.pod.Priority})
	}
	slices.SortFunc(r.HeldBy, func(a, b placement.Holder) int { return cmp.Compare(a.Pod, b.Pod) })
	r.HeldBy = r.HeldBy[:min(len(r.HeldBy), maxHolders)]
	add(r, "wait until those pods are placed")
}
