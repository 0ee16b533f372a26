package place

import (
	"fmt"
	"maps"
	"math"
	"math/rand"
	"slices"
	"testing"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/placement"
)

// scores rates the nodes that pod may be on the slow way: each of Kubernetes' scores read
// off the objects, in floating point, times its weight.
func (w *world) scores(pod *v1.Pod, pack bool) map[string]*placement.Score {
	out := map[string]*placement.Score{}
	for name, n := range w.nodes {
		if w.allows(pod, n) {
			out[name] = &placement.Score{ResourcesFit: w.freedom(pod, n, pack), BalancedAllocation: w.balance(pod, n), ImageLocality: w.locality(pod, n)}
		}
	}
	most := func(raw func(*v1.Node) float64) float64 {
		top := 0.0
		for name := range out {
			top = max(top, raw(w.nodes[name]))
		}
		return top
	}
	avoid := func(n *v1.Node) float64 { return w.avoided(pod, n) }
	like := func(n *v1.Node) float64 { return liked(pod, n) }
	avoidMost, likeMost := most(avoid), most(like)
	for name, s := range out {
		n := w.nodes[name]
		s.TaintToleration = 3 * 100
		if avoidMost > 0 {
			s.TaintToleration = 3 * (100 - 100*avoid(n)/avoidMost)
		}
		if likeMost > 0 {
			s.NodeAffinity = 2 * 100 * like(n) / likeMost
		}
	}
	w.crowd(pod, out)
	w.draw(pod, out)
	return out
}

// load is what pods on n ask for, with pod: of cpu in thousandths, of memory in bytes. Where
// a container asks for nothing, little stands for it in scores.
func (w *world) load(pod *v1.Pod, n *v1.Node, little bool) (cpu, memory float64) {
	for _, p := range append(w.on(n.Name), pod) {
		for _, c := range p.Spec.Containers {
			q, asks := c.Resources.Requests[v1.ResourceCPU]
			if cpu += float64(q.MilliValue()); !asks && little {
				cpu += 100
			}
			q, asks = c.Resources.Requests[v1.ResourceMemory]
			if memory += float64(q.Value()); !asks && little {
				memory += 200 << 20
			}
		}
	}
	return cpu / float64(n.Status.Allocatable.Cpu().MilliValue()), memory / float64(n.Status.Allocatable.Memory().Value())
}

func (w *world) freedom(pod *v1.Pod, n *v1.Node, pack bool) float64 {
	cpu, memory := w.load(pod, n, true)
	full := (min(cpu, 1) + min(memory, 1)) / 2
	if pack {
		return 100 * full
	}
	return 100 * (1 - full)
}

func (w *world) balance(pod *v1.Pod, n *v1.Node) float64 {
	asks := pod.Spec.Containers[0].Resources.Requests
	if asks.Cpu().IsZero() && asks.Memory().IsZero() {
		return 0
	}
	cpu, memory := w.load(pod, n, false)
	mean := (min(cpu, 1) + min(memory, 1)) / 2
	deviation := math.Sqrt((math.Pow(min(cpu, 1)-mean, 2) + math.Pow(min(memory, 1)-mean, 2)) / 2)
	return 100 * (1 - deviation)
}

// locality is how much of the images' weight is on n, each scaled by how many nodes have it.
func (w *world) locality(pod *v1.Pod, n *v1.Node) float64 {
	has := func(n *v1.Node, name string) float64 {
		for _, i := range n.Status.Images {
			if slices.Contains(i.Names, name+":latest") {
				return float64(i.SizeBytes)
			}
		}
		return 0
	}
	sum, containers := 0.0, append(slices.Clone(pod.Spec.InitContainers), pod.Spec.Containers...)
	for _, c := range containers {
		nodes := 0
		for _, other := range w.nodes {
			if has(other, c.Image) > 0 {
				nodes++
			}
		}
		sum += has(n, c.Image) * float64(nodes) / float64(len(w.nodes))
	}
	const mb = 1 << 20
	least, most := 23.0*mb, 1000.0*mb*float64(len(containers))
	return 100 * (min(max(sum, least), most) - least) / (most - least)
}

// avoided is how many of the taints that only ask to be avoided pod does not tolerate.
func (w *world) avoided(pod *v1.Pod, n *v1.Node) (count float64) {
	for _, t := range n.Spec.Taints {
		if t.Effect == v1.TaintEffectPreferNoSchedule && !w.bears(pod, t) {
			count++
		}
	}
	return count
}

func liked(pod *v1.Pod, n *v1.Node) (weight float64) {
	if pod.Spec.Affinity == nil || pod.Spec.Affinity.NodeAffinity == nil {
		return 0
	}
	for _, t := range pod.Spec.Affinity.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution {
		if termHolds(t.Preference, n) {
			weight += float64(t.Weight)
		}
	}
	return weight
}

// softly are the spread constraints that score: the pod's own, or the system's for pods of
// an owner that name none.
func softly(pod *v1.Pod) (list []v1.TopologySpreadConstraint, own bool) {
	for _, c := range pod.Spec.TopologySpreadConstraints {
		if c.WhenUnsatisfiable == v1.ScheduleAnyway {
			list = append(list, c)
		}
	}
	if len(pod.Spec.TopologySpreadConstraints) == 0 && len(pod.OwnerReferences) > 0 {
		list = []v1.TopologySpreadConstraint{{MaxSkew: 3, TopologyKey: v1.LabelHostname}, {MaxSkew: 5, TopologyKey: v1.LabelTopologyZone}}
		return list, false
	}
	return list, true
}

// crowd rates by spread: a pod in a domain weighs the more the more domains there are.
func (w *world) crowd(pod *v1.Pod, out map[string]*placement.Score) {
	list, own := softly(pod)
	if len(list) == 0 {
		return
	}
	counted := func(n *v1.Node) bool { // nodes without one of the keys do not count
		for _, c := range list {
			if _, ok := n.Labels[c.TopologyKey]; own && !ok {
				return false
			}
		}
		return true
	}
	raw := map[string]float64{}
	for name := range out {
		if n := w.nodes[name]; counted(n) {
			for _, c := range list {
				raw[name] += w.crowded(pod, n, c, own, counted)
			}
		}
	}
	if len(raw) == 0 {
		return
	}
	values := slices.Collect(maps.Values(raw))
	low, high := slices.Min(values), slices.Max(values)
	for name, v := range raw {
		out[name].TopologySpread = 2 * 100
		if high > 0 {
			out[name].TopologySpread = 2 * 100 * (high + low - v) / high
		}
	}
}

func (w *world) crowded(pod *v1.Pod, n *v1.Node, c v1.TopologySpreadConstraint, own bool, counted func(*v1.Node) bool) float64 {
	value, ok := n.Labels[c.TopologyKey]
	if !ok {
		return 0
	}
	like := func(p *v1.Pod) bool {
		if p.DeletionTimestamp != nil || p.Namespace != pod.Namespace {
			return false
		}
		if !own {
			return len(p.OwnerReferences) > 0 && p.OwnerReferences[0].UID == pod.OwnerReferences[0].UID
		}
		return selects(c.LabelSelector, p, pod, c.MatchLabelKeys, nil)
	}
	count, domains := 0, map[string]bool{}
	for _, other := range w.nodes {
		d, ok := other.Labels[c.TopologyKey]
		if !ok {
			continue
		}
		if w.admits(pod, other) {
			domains[d] = true
			if c.TopologyKey == v1.LabelHostname {
				domains[other.Name] = true
			}
		}
		if d != value || !counted(other) || c.TopologyKey == v1.LabelHostname && other != n {
			continue
		}
		if ptr.Deref(c.NodeAffinityPolicy, v1.NodeInclusionPolicyHonor) == v1.NodeInclusionPolicyHonor && !w.affine(pod, other) ||
			ptr.Deref(c.NodeTaintsPolicy, v1.NodeInclusionPolicyIgnore) == v1.NodeInclusionPolicyHonor && !w.untainted(pod, other) {
			continue
		}
		for _, p := range w.on(other.Name) {
			if like(p) {
				count++
			}
		}
	}
	return float64(count)*math.Log(float64(len(domains)+2)) + float64(c.MaxSkew-1)
}

// draw rates by what pods prefer of each other: pod of those that are placed, and they of it,
// whose required affinity counts as a wish of weight 1.
func (w *world) draw(pod *v1.Pod, out map[string]*placement.Score) {
	type wish struct {
		weight int32
		term   v1.PodAffinityTerm
	}
	wishes := func(p *v1.Pod, required bool) (list []wish) {
		if p.Spec.Affinity == nil {
			return nil
		}
		if a := p.Spec.Affinity.PodAffinity; a != nil {
			for _, t := range a.PreferredDuringSchedulingIgnoredDuringExecution {
				list = append(list, wish{t.Weight, t.PodAffinityTerm})
			}
			for _, t := range a.RequiredDuringSchedulingIgnoredDuringExecution {
				if required {
					list = append(list, wish{1, t})
				}
			}
		}
		if a := p.Spec.Affinity.PodAntiAffinity; a != nil {
			for _, t := range a.PreferredDuringSchedulingIgnoredDuringExecution {
				list = append(list, wish{-t.Weight, t.PodAffinityTerm})
			}
		}
		return list
	}
	raw := map[string]float64{}
	for name := range out {
		n := w.nodes[name]
		raw[name] = 0
		for _, p := range w.pods {
			host := w.nodes[p.Spec.NodeName]
			if host == nil {
				continue
			}
			for _, v := range wishes(pod, false) {
				if same(host, n, v.term.TopologyKey) && w.wants(v.term, pod, p) {
					raw[name] += float64(v.weight)
				}
			}
			for _, v := range wishes(p, true) {
				if same(host, n, v.term.TopologyKey) && w.wants(v.term, p, pod) {
					raw[name] += float64(v.weight)
				}
			}
		}
	}
	if len(raw) == 0 {
		return
	}
	values := slices.Collect(maps.Values(raw))
	if low, high := slices.Min(values), slices.Max(values); high > low {
		for name, v := range raw {
			out[name].PodAffinity = 2 * 100 * (v - low) / (high - low)
		}
	}
}

// rate compares all scores of one pod, and what is chosen, with the slow ones.
func rate(t *testing.T, w *world, c *Cluster, p *v1.Pod, pack bool) {
	t.Helper()
	want, told := w.scores(p, pack), c.Explain(NewPod(p))
	if told.Fits != len(want) {
		t.Errorf("%s fits on %d nodes, want %d", p.Name, told.Fits, len(want))
	}
	for _, n := range told.Nodes {
		if s := want[n.Name]; s != nil && n.Score != nil && !alike(s, n.Score) {
			t.Errorf("%s on %s\n got %+v\nwant %+v", p.Name, n.Name, *n.Score, *s)
		}
	}
	on, err := c.Decide(NewPod(p))
	if err != nil || t.Failed() {
		return
	}
	for name, s := range want {
		if total(s) > total(want[string(on)])+0.01 {
			t.Errorf("%s goes to %s, scored %.2f, and not to %s, scored %.2f", p.Name, on, total(want[string(on)]), name, total(s))
		}
	}
}

func parts(s *placement.Score) []float64 {
	return []float64{s.ResourcesFit, s.BalancedAllocation, s.ImageLocality, s.NodeAffinity, s.TaintToleration, s.TopologySpread, s.PodAffinity}
}

func total(s *placement.Score) (sum float64) {
	for _, part := range parts(s) {
		sum += part
	}
	return sum
}

func alike(a, b *placement.Score) bool {
	y := parts(b)
	for i, x := range parts(a) {
		if math.Abs(x-y[i]) > 0.06 { // told with one decimal
			return false
		}
	}
	return true
}

// playScores lives through a cluster whose nodes have images and whose pods wish for things.
func playScores(t *testing.T, seed int64, steps int) {
	r := maker{rand.New(rand.NewSource(seed))}
	pack := r.Intn(3) == 0
	w, c := newWorld(), NewCluster(Policy{Pack: pack})
	for ns, team := range map[string]string{"default": "x", "other": "y"} {
		w.spaces[ns] = map[string]string{"team": team}
		c.SetNamespace(ns, w.spaces[ns])
	}
	for i := range 2 + r.Intn(6) {
		n := r.node(fmt.Sprintf("n%d", i))
		if z, ok := n.Labels["zone"]; ok && r.Intn(2) == 0 {
			n.Labels[v1.LabelTopologyZone] = z
		}
		for _, image := range []string{"small", "big", "huge"} {
			if r.Intn(2) == 0 {
				size := map[string]int64{"small": 20 << 20, "big": 700 << 20, "huge": 3 << 30}[image]
				n.Status.Images = append(n.Status.Images, v1.ContainerImage{Names: []string{image + ":latest"}, SizeBytes: size})
			}
		}
		w.nodes[n.Name] = n
		c.SetNode(n)
	}
	for i := range steps {
		if r.Intn(4) == 0 {
			remove(r, w, c)
			continue
		}
		p := wishful(r, fmt.Sprintf("p%d", i))
		if rate(t, w, c, p, pack); t.Failed() {
			t.Fatalf("seed %d step %d pod %v %+v %+v\n%s", seed, i, p.Labels, p.Spec.Affinity, p.Spec.TopologySpreadConstraints, w)
		}
		if on, err := c.Decide(NewPod(p)); err == nil {
			p.Spec.NodeName = string(on)
			w.pods[p.UID] = p
			c.SetPod(NewPod(p), schemas.NodeName(p.Spec.NodeName))
		}
	}
}

// wishful is a pod that asks for less and prefers more than others.
func wishful(r maker, name string) *v1.Pod {
	p := r.pod(name)
	p.Namespace = "default"
	p.Spec.Containers[0].Image = r.oneOf("small", "big", "huge", "none")
	if r.Intn(4) == 0 {
		p.Spec.InitContainers = []v1.Container{{Name: "i", Image: r.oneOf("small", "big", "huge")}}
	}
	switch r.Intn(4) {
	case 0:
		delete(p.Spec.Containers[0].Resources.Requests, v1.ResourceCPU)
	case 1:
		p.Spec.Containers[0].Resources.Requests = nil
	}
	for i := range p.Spec.TopologySpreadConstraints {
		if c := &p.Spec.TopologySpreadConstraints[i]; r.Intn(3) > 0 {
			c.WhenUnsatisfiable, c.MinDomains = v1.ScheduleAnyway, nil
		}
	}
	if a := p.Spec.Affinity; a != nil && r.Intn(2) == 0 {
		a.PodAffinity, a.PodAntiAffinity = prefer(r), nil
	}
	if r.Intn(3) == 0 {
		p.OwnerReferences = []metav1.OwnerReference{{UID: types.UID(r.oneOf("rs1", "rs2")), Controller: ptr.To(true)}}
		p.Spec.TopologySpreadConstraints = nil
	}
	return p
}

func prefer(r maker) *v1.PodAffinity {
	a := &v1.PodAffinity{}
	for range 1 + r.Intn(2) {
		a.PreferredDuringSchedulingIgnoredDuringExecution = append(a.PreferredDuringSchedulingIgnoredDuringExecution,
			v1.WeightedPodAffinityTerm{Weight: int32(1 + r.Intn(50)), PodAffinityTerm: r.term()})
	}
	return a
}

// TestScoresAsTheSlowWay compares every part of every node's score, and who is chosen.
func TestScoresAsTheSlowWay(t *testing.T) {
	for seed := range int64(300) {
		playScores(t, seed, 30)
	}
}

// FuzzScores is the same from any seed.
func FuzzScores(f *testing.F) {
	f.Add(int64(1), uint8(30))
	f.Fuzz(func(t *testing.T, seed int64, steps uint8) { playScores(t, seed, int(steps)) })
}
