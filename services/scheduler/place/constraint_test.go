package place

import (
	"fmt"
	"maps"
	"math/rand"
	"slices"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/skerry/skerry/schemas"
)

// maker makes nodes and pods at random: few values, so that constraints meet.
type maker struct{ *rand.Rand }

func (r maker) oneOf(list ...string) string { return list[r.Intn(len(list))] }

func (r maker) node(name string) *v1.Node {
	n := node(name, fmt.Sprint(1+r.Intn(4)), "8Gi")
	n.Status.Allocatable[v1.ResourcePods] = resource.MustParse(fmt.Sprint(2 + r.Intn(6)))
	if r.Intn(5) > 0 {
		n.Labels["zone"] = r.oneOf("a", "b", "c")
	}
	if r.Intn(3) == 0 {
		n.Labels["disk"] = r.oneOf("ssd", "hdd")
	}
	if r.Intn(3) == 0 {
		n.Labels["cores"] = r.oneOf("2", "4", "8", "many")
	}
	if r.Intn(3) == 0 {
		n.Status.Allocatable["example.com/gpu"] = resource.MustParse(r.oneOf("1", "2"))
	}
	n.Status.Allocatable[v1.ResourceEphemeralStorage] = resource.MustParse(r.oneOf("1Gi", "8Gi"))
	for range r.Intn(3) {
		if r.Intn(2) == 0 {
			n.Spec.Taints = append(n.Spec.Taints, v1.Taint{Key: r.oneOf("k", "l"), Value: r.oneOf("v", "w", "3", "5", "05"), Effect: v1.TaintEffect(r.oneOf("NoSchedule", "NoExecute", "PreferNoSchedule"))})
		}
	}
	n.Spec.Unschedulable = r.Intn(12) == 0
	return n
}

func (r maker) selector() *metav1.LabelSelector {
	switch r.Intn(6) {
	case 0:
		return &metav1.LabelSelector{}
	case 5:
		if r.Intn(4) == 0 {
			return &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: r.oneOf("own", "tier"), Operator: metav1.LabelSelectorOperator(r.oneOf("Exists", "DoesNotExist"))}}}
		}
	case 1:
		return &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "app", Operator: metav1.LabelSelectorOperator(r.oneOf("In", "NotIn")), Values: []string{"web", r.oneOf("db", "job")}}}}
	case 2:
		return &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "tier", Operator: metav1.LabelSelectorOperator(r.oneOf("Exists", "DoesNotExist"))}}}
	}
	return &metav1.LabelSelector{MatchLabels: map[string]string{"app": r.oneOf("web", "db", "job")}}
}

func (r maker) term() v1.PodAffinityTerm {
	t := v1.PodAffinityTerm{LabelSelector: r.selector(), TopologyKey: r.oneOf("zone", "zone", "kubernetes.io/hostname", "disk")}
	switch r.Intn(6) {
	case 0:
		t.Namespaces = []string{r.oneOf("default", "other")}
	case 1:
		t.NamespaceSelector = &metav1.LabelSelector{}
	case 2:
		t.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"team": r.oneOf("x", "y")}}
	case 3:
		t.MatchLabelKeys = []string{"tier"}
	case 4:
		t.MismatchLabelKeys = []string{"tier"}
	}
	return t
}

func (r maker) labels(name string) map[string]string {
	set := map[string]string{"app": r.oneOf("web", "db", "job")}
	if r.Intn(2) == 0 {
		set["tier"] = r.oneOf("front", "back")
	}
	if r.Intn(2) == 0 {
		set["own"] = name
	}
	return set
}

func (r maker) pod(name string) *v1.Pod {
	p := pod(name, fmt.Sprintf("%dm", r.Intn(900)), "100Mi")
	p.Namespace = r.oneOf("default", "default", "other")
	p.Labels = r.labels(name)
	for range r.Intn(3) {
		t := v1.Toleration{Key: r.oneOf("k", "l"), Operator: v1.TolerationOperator(r.oneOf("Exists", "Equal", "", "Gt", "Lt")), Effect: v1.TaintEffect(r.oneOf("", "NoSchedule"))}
		switch t.Operator {
		case "Equal", "":
			t.Value = r.oneOf("v", "3")
		case "Gt", "Lt":
			t.Value = r.oneOf("2", "4", "x")
		default:
			t.Key = r.oneOf("k", "l", "", "node.kubernetes.io/unschedulable")
		}
		p.Spec.Tolerations = append(p.Spec.Tolerations, t)
	}
	for i := range r.Intn(3) {
		if r.Intn(4) == 0 {
			p.Spec.Containers[0].Ports = append(p.Spec.Containers[0].Ports, v1.ContainerPort{ContainerPort: int32(80 + i), HostPort: int32(80 + i),
				Protocol: v1.Protocol(r.oneOf("TCP", "TCP", "UDP")), HostIP: r.oneOf("", "0.0.0.0", "10.0.0.1", "10.0.0.2")})
		}
	}
	if r.Intn(6) == 0 {
		p.Spec.Containers[0].Resources.Requests["example.com/gpu"] = resource.MustParse("1")
	}
	if r.Intn(6) == 0 {
		p.Spec.Containers[0].Resources.Requests[v1.ResourceEphemeralStorage] = resource.MustParse("500Mi")
	}
	if r.Intn(4) == 0 {
		p.OwnerReferences = []metav1.OwnerReference{{UID: types.UID(r.oneOf("rs1", "rs2")), Controller: ptr.To(true)}}
	}
	p.Spec.Priority = ptr.To(int32(r.Intn(4)))
	p.CreationTimestamp = metav1.Unix(int64(r.Intn(5)), 0)
	if r.Intn(8) == 0 {
		p.Spec.NodeSelector = map[string]string{"disk": "ssd"}
	}
	r.nodeAffinity(p)
	if r.Intn(12) == 0 {
		p.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)}
	}
	r.constrain(p)
	return p
}

func (r maker) nodeTerm() (t v1.NodeSelectorTerm) {
	for range r.Intn(3) {
		q := v1.NodeSelectorRequirement{Key: r.oneOf("zone", "disk"), Operator: v1.NodeSelectorOperator(r.oneOf("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"))}
		switch q.Operator {
		case "Gt", "Lt":
			q.Key, q.Values = "cores", []string{r.oneOf("3", "5")}
		case "In", "NotIn":
			q.Values = []string{r.oneOf("a", "ssd"), r.oneOf("b", "hdd")}
		}
		t.MatchExpressions = append(t.MatchExpressions, q)
	}
	if r.Intn(4) == 0 {
		t.MatchFields = []v1.NodeSelectorRequirement{{Key: "metadata.name", Operator: v1.NodeSelectorOperator(r.oneOf("In", "NotIn")), Values: []string{r.oneOf("n0", "n1", "n2")}}}
	}
	return t
}

func (r maker) nodeAffinity(p *v1.Pod) {
	if r.Intn(4) > 0 {
		return
	}
	a := &v1.NodeAffinity{}
	if r.Intn(2) == 0 {
		a.RequiredDuringSchedulingIgnoredDuringExecution = &v1.NodeSelector{}
		for range 1 + r.Intn(2) {
			s := a.RequiredDuringSchedulingIgnoredDuringExecution
			s.NodeSelectorTerms = append(s.NodeSelectorTerms, r.nodeTerm())
		}
	}
	for range r.Intn(3) {
		a.PreferredDuringSchedulingIgnoredDuringExecution = append(a.PreferredDuringSchedulingIgnoredDuringExecution, v1.PreferredSchedulingTerm{Weight: int32(1 + r.Intn(50)), Preference: r.nodeTerm()})
	}
	p.Spec.Affinity = &v1.Affinity{NodeAffinity: a}
}

func (r maker) constrain(p *v1.Pod) {
	affinity := func() *v1.Affinity {
		if p.Spec.Affinity == nil {
			p.Spec.Affinity = &v1.Affinity{}
		}
		return p.Spec.Affinity
	}
	if r.Intn(4) == 0 {
		a := &v1.PodAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []v1.PodAffinityTerm{r.term()}}
		if r.Intn(3) == 0 {
			a.RequiredDuringSchedulingIgnoredDuringExecution = append(a.RequiredDuringSchedulingIgnoredDuringExecution, r.term())
		}
		if r.Intn(3) == 0 {
			a.PreferredDuringSchedulingIgnoredDuringExecution = []v1.WeightedPodAffinityTerm{{Weight: int32(1 + r.Intn(20)), PodAffinityTerm: r.term()}}
		}
		if r.Intn(4) == 0 {
			a.RequiredDuringSchedulingIgnoredDuringExecution = nil
		}
		affinity().PodAffinity = a
	}
	if r.Intn(4) == 0 {
		affinity().PodAntiAffinity = &v1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []v1.PodAffinityTerm{r.term()},
			PreferredDuringSchedulingIgnoredDuringExecution: []v1.WeightedPodAffinityTerm{{Weight: 10, PodAffinityTerm: r.term()}}}
	}
	for range r.Intn(3) {
		c := v1.TopologySpreadConstraint{MaxSkew: int32(1 + r.Intn(2)), TopologyKey: r.oneOf("zone", "kubernetes.io/hostname", "disk"),
			WhenUnsatisfiable: v1.UnsatisfiableConstraintAction(r.oneOf("DoNotSchedule", "DoNotSchedule", "ScheduleAnyway")), LabelSelector: r.selector()}
		if r.Intn(3) == 0 && c.WhenUnsatisfiable == v1.DoNotSchedule {
			c.MinDomains = ptr.To(int32(1 + r.Intn(4)))
		}
		if r.Intn(3) == 0 {
			c.NodeAffinityPolicy = ptr.To(v1.NodeInclusionPolicy(r.oneOf("Honor", "Ignore")))
			c.NodeTaintsPolicy = ptr.To(v1.NodeInclusionPolicy(r.oneOf("Honor", "Ignore")))
		}
		if r.Intn(4) == 0 {
			c.MatchLabelKeys = []string{"tier"}
		}
		p.Spec.TopologySpreadConstraints = append(p.Spec.TopologySpreadConstraints, c)
	}
}

// play lives through steps of a cluster's life and compares every question with the
// slow answer.
func play(t *testing.T, seed int64, steps int) {
	r := maker{rand.New(rand.NewSource(seed))}
	w, c := newWorld(), NewCluster(Policy{})
	space := func(ns string, set map[string]string) {
		w.spaces[ns] = set
		c.SetNamespace(ns, set)
	}
	space("default", map[string]string{"team": "x"})
	space("other", map[string]string{"team": "y"})
	for i := range 2 + r.Intn(7) {
		n := r.node(fmt.Sprintf("n%d", i))
		w.nodes[n.Name] = n
		c.SetNode(n)
	}
	kinds := make([]*v1.Pod, 4)
	for i := range kinds {
		kinds[i] = r.pod(fmt.Sprintf("kind%d", i))
	}
	for i := range steps {
		switch r.Intn(12) {
		case 0, 1, 2:
			remove(r, w, c)
		case 3:
			n := r.node(fmt.Sprintf("n%d", r.Intn(9)))
			w.nodes[n.Name] = n
			c.SetNode(n)
		case 4:
			if name := fmt.Sprintf("n%d", r.Intn(9)); len(w.nodes) > 1 && r.Intn(3) == 0 {
				delete(w.nodes, name)
				c.RemoveNode(schemas.NodeName(name))
			}
		case 5:
			switch r.Intn(6) {
			case 0:
				space("other", map[string]string{"team": r.oneOf("x", "y", "z")})
			case 1, 2:
				r.budget(w, c)
			case 3, 4:
				r.nominate(w, c, fmt.Sprintf("p%d", i))
			}
		default:
			p := r.pod(fmt.Sprintf("p%d", i))
			if waiting := slices.Sorted(maps.Keys(w.nominated)); len(waiting) > 0 && r.Intn(2) == 0 {
				p = w.nominated[waiting[r.Intn(len(waiting))]].DeepCopy()
				p.Spec.NodeName = ""
			} else if r.Intn(2) == 0 {
				p = kinds[r.Intn(len(kinds))].DeepCopy()
				p.Name, p.UID = fmt.Sprintf("p%d", i), types.UID(fmt.Sprintf("p%d", i))
				if r.Intn(2) == 0 { // alike but for its labels
					p.Labels = r.labels(p.Name)
				}
			}
			decide(t, w, c, p, seed, i)
		}
		if t.Failed() {
			return
		}
	}
}

func remove(r maker, w *world, c *Cluster) {
	var uids []types.UID
	for uid := range w.pods {
		uids = append(uids, uid)
	}
	if len(uids) == 0 {
		return
	}
	slices.Sort(uids)
	uid := uids[r.Intn(len(uids))]
	delete(w.pods, uid)
	c.RemovePod(uid)
}

// look asks about every node, and tells whether any would do.
func look(t *testing.T, w *world, c *Cluster, p *v1.Pod, seed int64, step int) (possible bool) {
	t.Helper()
	if at := w.nominated[p.UID]; at != nil {
		c.Unnominate(p.UID) // its own room is not in its way
		defer func() {
			asks := at.DeepCopy()
			asks.Spec.NodeName = ""
			c.Nominate(NewPod(asks), schemas.NodeName(at.Spec.NodeName))
		}()
	}
	k := c.class(NewPod(p))
	k.bar(c)
	defer k.unbar(c)
	for _, n := range w.nodes {
		slot := c.byName[schemas.NodeName(n.Name)].slot
		want, got := w.allows(p, n), k.fits(slot)
		possible = possible || want
		if want != got {
			t.Errorf("seed %d step %d: %s on %s: %v, want %v (closed %d mask %b %q %q)\npod %v %+v\n%v\n%s", seed, step, p.Name, n.Name, got, want,
				k.closed[slot], k.mask[slot], k.crossed(slot), k.barred[slot], p.Labels, p.Spec.Affinity, p.Spec.TopologySpreadConstraints, w)
			return
		}
	}
	return possible
}

// decide places p and compares.
func decide(t *testing.T, w *world, c *Cluster, p *v1.Pod, seed int64, step int) {
	t.Helper()
	possible := look(t, w, c, p, seed, step)
	if t.Failed() {
		return
	}
	q := NewPod(p)
	got, err := c.Decide(q)
	if at := w.nominated[p.UID]; at != nil && w.nodes[at.Spec.NodeName] != nil && w.allows(p, w.nodes[at.Spec.NodeName]) && string(got) != at.Spec.NodeName {
		t.Errorf("seed %d step %d: %s: %q, %v; room is kept on %s", seed, step, p.Name, got, err, at.Spec.NodeName)
		return
	}
	if (err == nil) != possible {
		t.Errorf("seed %d step %d: %s: %q, %v; possible: %v", seed, step, p.Name, got, err, possible)
		return
	}
	if fresh, ferr := rebuilt(w).Decide(NewPod(p)); fresh != got || (ferr == nil) != (err == nil) || err != nil && ferr.Error() != err.Error() {
		t.Errorf("seed %d step %d: %s on %q (%v), a new cluster says %q (%v)\n%s", seed, step, p.Name, got, err, fresh, ferr, w)
		return
	}
	if err != nil {
		preempt(t, w, c, p, seed, step)
		return
	}
	if w.nominated[p.UID] == nil {
		highest(t, c, q, got, seed, step)
	}
	placed := p.DeepCopy()
	placed.Spec.NodeName = string(got)
	w.pods[p.UID] = placed
	delete(w.nominated, p.UID)
	c.SetPod(NewPod(placed), got)
}

// highest compares the short ways to the best node with the scores of all nodes.
func highest(t *testing.T, c *Cluster, p *Pod, got schemas.NodeName, seed int64, step int) {
	t.Helper()
	k := c.class(p)
	k.bar(c)
	defer k.unbar(c)
	k.survey(c)
	at := slices.Index(c.feasible, int32(c.byName[got].slot))
	if most := slices.Max(c.total); at < 0 || c.total[at] < most-0.01 {
		t.Errorf("seed %d step %d: %s goes to %s (%d), where it scores less than %v", seed, step, p.Name, got, at, most)
	}
}

// rebuilt is the same cluster told in another order.
func rebuilt(w *world) *Cluster {
	c := NewCluster(Policy{})
	for uid, p := range w.pods {
		if len(uid)%2 == 0 {
			c.SetPod(NewPod(p), schemas.NodeName(p.Spec.NodeName))
		}
	}
	for _, n := range w.nodes {
		c.SetNode(n)
	}
	for _, p := range w.pods {
		c.SetPod(NewPod(p), schemas.NodeName(p.Spec.NodeName))
	}
	for ns, set := range w.spaces {
		c.SetNamespace(ns, set)
	}
	for _, p := range w.nominated {
		asks := p.DeepCopy()
		asks.Spec.NodeName = ""
		c.Nominate(NewPod(asks), schemas.NodeName(p.Spec.NodeName))
	}
	for _, b := range w.budgets {
		c.SetBudget(b)
	}
	return c
}

// TestConstraintsAsTheSlowWay compares with the rules read off the objects: no hard
// constraint is broken, none is invented, and the same cluster gives the same answer
// whatever became of it before.
func TestConstraintsAsTheSlowWay(t *testing.T) {
	for seed := range int64(400) {
		if play(t, seed, 80); t.Failed() {
			return
		}
	}
}

// FuzzConstraints is the same from any seed.
func FuzzConstraints(f *testing.F) {
	f.Add(int64(1), uint8(40))
	f.Add(int64(35), uint8(80)) // a pod's own kept room was in its way
	f.Fuzz(func(t *testing.T, seed int64, steps uint8) { play(t, seed, int(steps)) })
}
