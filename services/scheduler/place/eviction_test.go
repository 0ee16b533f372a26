package place

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"testing"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/schemas"
)

// harm is what evicting pods costs, in the order in which it counts.
type harm struct {
	violations int
	highest    int32
	sum        int64
	count      int
	start      int64 // of the longest running of the highest priority
}

func (a harm) compare(b harm) int {
	return cmp.Or(cmp.Compare(a.violations, b.violations), cmp.Compare(a.highest, b.highest), cmp.Compare(a.sum, b.sum), cmp.Compare(a.count, b.count), cmp.Compare(b.start, a.start))
}

// victims are the pods that must leave n for pod, found by taking out all that are less
// important and putting back who may stay; nil if that does not help.
func (w *world) victims(pod *v1.Pod, n *v1.Node) (gone []string, cost harm) {
	rest := *w
	rest.pods = maps.Clone(w.pods)
	var lower []*v1.Pod
	for _, p := range w.on(n.Name) {
		if priorityOf(p) < priorityOf(pod) {
			lower = append(lower, p)
			delete(rest.pods, p.UID)
		}
	}
	if len(lower) == 0 || !w.admits(pod, n) || !w.together(pod, n) || !rest.allows(pod, n) {
		return nil, harm{}
	}
	slices.SortFunc(lower, func(a, b *v1.Pod) int {
		return cmp.Or(cmp.Compare(priorityOf(b), priorityOf(a)), cmp.Compare(a.CreationTimestamp.Unix(), b.CreationTimestamp.Unix()), cmp.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name))
	})
	against := w.violators(lower)
	slices.SortStableFunc(lower, func(a, b *v1.Pod) int {
		return cmp.Compare(btoi(against[b.UID]), btoi(against[a.UID]))
	})
	cost = harm{highest: math.MinInt32, start: math.MaxInt64}
	for _, p := range lower {
		if rest.pods[p.UID] = p; rest.allows(pod, n) {
			continue
		}
		delete(rest.pods, p.UID)
		gone = append(gone, p.Namespace+"/"+p.Name)
		cost.add(p, against[p.UID])
	}
	slices.Sort(gone)
	return gone, cost
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (a *harm) add(p *v1.Pod, violates bool) {
	a.violations += btoi(violates)
	a.count++
	a.sum += int64(priorityOf(p)) + math.MaxInt32 + 1
	start := p.CreationTimestamp.Unix()
	switch {
	case priorityOf(p) > a.highest:
		a.highest, a.start = priorityOf(p), start
	case priorityOf(p) == a.highest:
		a.start = min(a.start, start)
	}
}

// violators are those of pods, in this order, that a budget does not let go any more.
func (w *world) violators(pods []*v1.Pod) map[types.UID]bool {
	out, used := map[types.UID]bool{}, map[*Budget]int32{}
	for _, p := range pods {
		for _, b := range w.budgets {
			if b.Namespace == p.Namespace && b.Selector.Matches(labels.Set(p.Labels)) && !b.Going[p.Name] {
				if used[b]++; used[b] > b.Allowed {
					out[p.UID] = true
				}
			}
		}
	}
	return out
}

// preempt compares who is driven out for p, which fits nowhere, and keeps room for it.
func preempt(t *testing.T, w *world, c *Cluster, p *v1.Pod, seed int64, step int) {
	t.Helper()
	if at := w.nominated[p.UID]; at != nil && w.nodes[at.Spec.NodeName] != nil && slices.ContainsFunc(w.on(at.Spec.NodeName), func(o *v1.Pod) bool { return o.DeletionTimestamp != nil && priorityOf(o) < priorityOf(p) }) {
		if pre, why := c.Preempt(NewPod(p)); pre != nil || why != "not eligible due to a terminating pod on the nominated node." {
			t.Errorf("seed %d step %d: %s, for which room is being made, drives out more: %+v %q", seed, step, p.Name, pre, why)
		}
		return // it waits for them
	}
	var best *harm
	for _, n := range w.nodes {
		spreadable := true
		for _, s := range p.Spec.TopologySpreadConstraints {
			_, ok := n.Labels[s.TopologyKey]
			spreadable = spreadable && (ok || s.WhenUnsatisfiable != v1.DoNotSchedule)
		}
		if gone, cost := w.victims(p, n); spreadable && len(gone) > 0 && (best == nil || cost.compare(*best) < 0) {
			best = &cost
		}
	}
	pre, why := c.Preempt(NewPod(p))
	if (pre == nil) != (best == nil) {
		t.Errorf("seed %d step %d: making room for %s (priority %d): %+v %q, want %+v\n%+v\n%s", seed, step, p.Name, priorityOf(p), pre, why, best, p.Spec, w)
		return
	}
	if pre == nil {
		return
	}
	var names []string
	for _, v := range pre.Victims {
		names = append(names, v.Name)
	}
	slices.Sort(names)
	if want, cost := w.victims(p, w.nodes[string(pre.Node)]); !slices.Equal(names, want) || cost != *best || pre.Violations != cost.violations {
		t.Errorf("seed %d step %d: %s drives %v out of %s (%d violations), want %v at %+v; the best is %+v\n%s", seed, step, p.Name, names, pre.Node, pre.Violations, want, cost, *best, w)
		return
	}
	at := p.DeepCopy()
	at.Spec.NodeName = string(pre.Node)
	w.nominated[p.UID] = at
	c.Nominate(NewPod(p), pre.Node)
	for _, v := range pre.Victims {
		delete(w.pods, v.UID)
		c.RemovePod(v.UID)
	}
}

// budget sets or removes one.
func (r maker) budget(w *world, c *Cluster) {
	ns, name := r.oneOf("default", "other"), r.oneOf("b1", "b2")
	if r.Intn(3) == 0 {
		delete(w.budgets, ns+"/"+name)
		c.RemoveBudget(ns, name)
		return
	}
	s, err := metav1.LabelSelectorAsSelector(r.selector())
	if err != nil {
		panic(err)
	}
	b := &Budget{Namespace: ns, Name: name, Selector: s, Allowed: int32(r.Intn(3)), Going: map[string]bool{}}
	for _, p := range w.pods {
		if p.Namespace == ns && len(p.UID)%2 == 0 { // it was counted when its eviction was allowed
			b.Going[p.Name] = true
		}
	}
	w.budgets[ns+"/"+name] = b
	c.SetBudget(b)
}

// nominate keeps room for a pod somewhere, or gives it up.
func (r maker) nominate(w *world, c *Cluster, name string) {
	if waiting := slices.Sorted(maps.Keys(w.nominated)); len(waiting) > 0 && r.Intn(2) == 0 {
		uid := waiting[r.Intn(len(waiting))]
		delete(w.nominated, uid)
		c.Unnominate(uid)
		return
	}
	p := r.pod(name)
	at := p.DeepCopy()
	nodes := slices.Sorted(maps.Keys(w.nodes))
	at.Spec.NodeName = nodes[r.Intn(len(nodes))]
	w.nominated[p.UID] = at
	c.Nominate(NewPod(p), schemas.NodeName(at.Spec.NodeName))
}
