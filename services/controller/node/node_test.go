package node

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus/lease"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/controller/clustertest"
)

// fleet is a world of nodes whose agents the test plays.
type fleet struct {
	*clustertest.World
	run *clustertest.Runner
	k   *Controller
}

func newFleet(t *testing.T, nodes int) *fleet {
	t.Helper()
	w := clustertest.New(t, 1)
	k, err := New(w.Cluster(), Config{Grace: 40 * time.Second, EvictionEvery: 10 * time.Second, ClusterCIDR: "10.244.0.0/16"})
	if err != nil {
		t.Fatal(err)
	}
	f := &fleet{World: w, k: k, run: w.Runner(k, k.Tenants())}
	for i := range nodes {
		f.register(name(i))
		f.beat(name(i), false)
	}
	f.run.Settle()
	return f
}

func name(i int) string { return fmt.Sprintf("n%d", i+1) }

func ref(node string) schemas.Ref {
	return schemas.Ref{Resource: schemas.Nodes, Name: schemas.Name(node)}
}

func (f *fleet) register(node string) {
	n := &corev1.Node{}
	n.Name = node
	if _, err := f.Create(f.T.Context(), schemas.Nodes, n); err != nil {
		f.T.Fatal(err)
	}
	f.report(node, corev1.ConditionTrue)
}

func (f *fleet) report(node string, ready corev1.ConditionStatus) {
	f.Observe(ref(node), func(o schemas.Object) {
		o.(*corev1.Node).Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: ready, Reason: "KubeletReady"}}
	})
}

func (f *fleet) beat(node string, lost bool) {
	if f.k.pulse.note(lease.Beat{Node: schemas.NodeName(node), Lost: lost}) {
		f.run.Wake(0, ref(node))
	}
}

func (f *fleet) node(name string) *corev1.Node {
	f.T.Helper()
	o, ok := f.Get(ref(name))
	if !ok {
		f.T.Fatalf("node %s is gone", name)
	}
	return o.(*corev1.Node)
}

func (f *fleet) taints(node string) string {
	var out []string
	for _, t := range f.node(node).Spec.Taints {
		out = append(out, strings.TrimPrefix(t.Key, "node.kubernetes.io/")+":"+string(t.Effect))
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// pod puts a ready pod on a node. seconds < 0 tolerates for ever, 0 not at all.
func (f *fleet) pod(name, node string, seconds int64) schemas.Ref {
	p := &corev1.Pod{}
	p.Name, p.Namespace = name, "default"
	if seconds != 0 {
		tol := corev1.Toleration{Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute}
		if seconds > 0 {
			tol.TolerationSeconds = &seconds
		}
		p.Spec.Tolerations = []corev1.Toleration{tol}
	}
	if _, err := f.Create(f.T.Context(), schemas.Pods, p); err != nil {
		f.T.Fatal(err)
	}
	r := schemas.RefOf(schemas.Pods, p)
	f.Assign(r, node)
	f.Observe(r, func(o schemas.Object) {
		p := o.(*corev1.Pod)
		p.Status.Phase = corev1.PodRunning
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	})
	f.run.Settle()
	return r
}

// conditions renders "Ready=False DisruptionTarget=True", and whether the pod goes.
func (f *fleet) conditions(r schemas.Ref) string {
	o, ok := f.Get(r)
	if !ok {
		return "gone"
	}
	var out []string
	for _, c := range o.(*corev1.Pod).Status.Conditions {
		if c.Type != corev1.PodScheduled {
			out = append(out, fmt.Sprintf("%s=%s", c.Type, c.Status))
		}
	}
	slices.Sort(out)
	if o.GetDeletionTimestamp() != nil {
		out = append(out, "going")
	}
	return strings.Join(out, " ")
}

func TestLostNode(t *testing.T) {
	f := newFleet(t, 3)
	soon, late, never := f.pod("soon", "n1", 30), f.pod("late", "n1", 300), f.pod("never", "n1", -1)
	other := f.pod("other", "n2", 0)
	f.run.Advance(time.Minute)
	f.beat("n1", true)
	f.run.Settle()
	if c := nodeCondition(f.node("n1"), corev1.NodeReady); c.Status != corev1.ConditionUnknown || c.Reason != "NodeStatusUnknown" {
		t.Errorf("Ready = %+v", c)
	}
	if c := nodeCondition(f.node("n1"), corev1.NodeDiskPressure); c == nil || c.Status != corev1.ConditionUnknown {
		t.Errorf("DiskPressure = %+v", c)
	}
	if got := f.taints("n1"); got != "unreachable:NoExecute unreachable:NoSchedule" {
		t.Errorf("taints = %s", got)
	}
	expect := func(when string, want map[schemas.Ref]string) {
		t.Helper()
		for r, w := range want {
			if got := f.conditions(r); got != w {
				t.Errorf("%s: %s is %q, want %q", when, r.Name, got, w)
			}
		}
	}
	expect("at once", map[schemas.Ref]string{soon: "Ready=False", late: "Ready=False", never: "Ready=False", other: "Ready=True"})
	f.run.Advance(31 * time.Second)
	expect("after 31 s", map[schemas.Ref]string{soon: "DisruptionTarget=True Ready=False going", late: "Ready=False"})
	if got := strings.Join(f.Reasons(), "\n"); !strings.Contains(got, "TaintManagerEviction: Marking for deletion Pod default/soon") {
		t.Errorf("events:\n%s", got)
	}

	f.beat("n1", false)
	f.run.Settle()
	if got := f.taints("n1"); got != "" {
		t.Errorf("taints after the return: %s", got)
	}
	if f.Current(ref("n1")) != nil {
		t.Errorf("a conclusion stays: %+v", f.Current(ref("n1")))
	}
	f.run.Advance(time.Hour)
	expect("after the return", map[schemas.Ref]string{late: "Ready=True", never: "Ready=True", other: "Ready=True"})
	before := f.Writes()
	for i := range 3 {
		f.run.Wake(0, ref(name(i)))
	}
	f.run.Wake(1, late)
	f.run.Settle()
	if f.Writes() != before {
		t.Error("planning again after applying is not empty")
	}
}

func TestNobodyIsEvictedWhenAllAreLost(t *testing.T) {
	f := newFleet(t, 3)
	var pods []schemas.Ref
	for i := range 3 {
		pods = append(pods, f.pod("p"+name(i), name(i), 0))
	}
	f.run.Advance(time.Minute)
	for i := range 3 {
		f.beat(name(i), true)
	}
	f.run.Advance(time.Hour)
	for i, p := range pods {
		if got := f.conditions(p); got != "Ready=False" {
			t.Errorf("%s is %q", p.Name, got)
		}
		if got := f.taints(name(i)); got != "unreachable:NoSchedule" {
			t.Errorf("taints of %s: %s", name(i), got)
		}
	}
	// One is back: the others are really lost, one after the other.
	f.beat("n1", false)
	f.run.Settle()
	evicted := func() (n int) {
		for _, p := range pods {
			if strings.HasSuffix(f.conditions(p), "going") {
				n++
			}
		}
		return n
	}
	if n := evicted(); n != 1 {
		t.Errorf("%d pods evicted at once", n)
	}
	f.run.Advance(11 * time.Second)
	if n := evicted(); n != 2 {
		t.Errorf("%d pods evicted after 11 s", n)
	}
}

func TestBusRestartsForgetHeartbeats(t *testing.T) {
	f := newFleet(t, 3)
	p := f.pod("p", "n1", 0)
	f.run.Advance(time.Minute)
	f.k.BusBack(func(r schemas.Ref) { f.run.Wake(0, r) })
	f.run.Advance(39 * time.Second)
	if got := f.conditions(p); got != "Ready=True" {
		t.Errorf("within the grace: %q", got)
	}
	f.beat("n2", false)
	f.beat("n3", false)
	f.run.Advance(2 * time.Second)
	if got := f.conditions(p); got != "DisruptionTarget=True Ready=False going" {
		t.Errorf("after the grace: %q", got)
	}
	if got := f.taints("n2"); got != "" {
		t.Errorf("taints of n2: %s", got)
	}
}

// A node that was heard of after the bus came back, and then falls silent, is lost as any other.
func TestLostSoonAfterTheBusCameBack(t *testing.T) {
	f := newFleet(t, 3)
	p := f.pod("p", "n1", 0)
	f.run.Advance(time.Minute)
	f.k.BusBack(func(r schemas.Ref) { f.run.Wake(0, r) })
	for i := range 3 {
		f.beat(name(i), false)
	}
	f.run.Advance(10 * time.Second)
	f.beat("n1", true)
	f.run.Advance(time.Second)
	if got := f.conditions(p); got != "DisruptionTarget=True Ready=False going" {
		t.Errorf("the pod is %q", got)
	}
	f.k.BusBack(func(r schemas.Ref) { f.run.Wake(0, r) })
	if l, wait := f.k.pulse.of("n1", time.Time{}, f.Now()); l != unsure || wait != 40*time.Second {
		t.Errorf("when the bus is back once more n1 is %d, to be asked after again in %s", l, wait)
	}
}

func TestNotReadyAndCordoned(t *testing.T) {
	f := newFleet(t, 2)
	f.report("n1", corev1.ConditionFalse)
	n := f.node("n2").DeepCopy()
	n.Spec.Unschedulable = true
	n.Spec.Taints = append(n.Spec.Taints, corev1.Taint{Key: "mine", Effect: corev1.TaintEffectNoSchedule})
	if _, err := f.Update(t.Context(), schemas.Nodes, n, ""); err != nil {
		t.Fatal(err)
	}
	f.run.Settle()
	if got := f.taints("n1"); got != "not-ready:NoExecute not-ready:NoSchedule" {
		t.Errorf("taints = %s", got)
	}
	if got := f.taints("n2"); got != "mine:NoSchedule unschedulable:NoSchedule" {
		t.Errorf("taints = %s", got)
	}
	n = f.node("n2").DeepCopy()
	n.Spec.Unschedulable = false
	if _, err := f.Update(t.Context(), schemas.Nodes, n, ""); err != nil {
		t.Fatal(err)
	}
	f.run.Settle()
	if got := f.taints("n2"); got != "mine:NoSchedule" {
		t.Errorf("taints = %s", got)
	}
}

func TestUsersTaintEvicts(t *testing.T) {
	f := newFleet(t, 2)
	now, later := f.pod("now", "n1", 0), f.pod("later", "n1", 60)
	n := f.node("n1").DeepCopy()
	n.Spec.Taints = []corev1.Taint{{Key: "broken", Effect: corev1.TaintEffectNoExecute}}
	if _, err := f.Update(t.Context(), schemas.Nodes, n, ""); err != nil {
		t.Fatal(err)
	}
	f.run.Advance(59 * time.Second)
	if a, b := f.conditions(now), f.conditions(later); a != "DisruptionTarget=True Ready=True going" || b != "Ready=True" {
		t.Errorf("now %q, later %q", a, b)
	}
	f.run.Advance(2 * time.Second)
	if got := f.conditions(later); got != "DisruptionTarget=True Ready=True going" {
		t.Errorf("later %q", got)
	}
}

func TestCIDRs(t *testing.T) {
	f := newFleet(t, 3)
	seen := map[string]bool{}
	for i := range 3 {
		n := f.node(name(i))
		if seen[n.Spec.PodCIDR] || !strings.HasPrefix(n.Spec.PodCIDR, "10.244.") || !slices.Equal(n.Spec.PodCIDRs, []string{n.Spec.PodCIDR}) {
			t.Errorf("%s has %q", n.Name, n.Spec.PodCIDR)
		}
		seen[n.Spec.PodCIDR] = true
	}
	if err := f.Delete(t.Context(), ref("n2"), metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	f.register("n4")
	f.run.Settle()
	if got := f.node("n4").Spec.PodCIDR; seen[got] {
		t.Errorf("n4 has %s, which was another's a moment ago", got)
	}
}

func TestPool(t *testing.T) {
	with := func(node, cidr string) *corev1.Node {
		n := &corev1.Node{}
		n.Name, n.Spec.PodCIDR, n.Spec.PodCIDRs = node, cidr, []string{cidr}
		return n
	}
	p, err := newPool("10.0.0.0/22")
	if err != nil {
		t.Fatal(err)
	}
	p.see(with("odd", "10.0.1.0/25")) // chosen by somebody: its range is nobody else's
	give := func(node, want string) {
		t.Helper()
		got, err := p.give(schemas.NodeName(node))
		if want == "" && !errors.Is(err, errNoCIDR) || want != "" && (err != nil || got != want) {
			t.Errorf("%s gets %q, %v, want %q", node, got, err, want)
		}
	}
	give("a", "10.0.0.0/24")
	p.see(with("a", "")) // seen before it was told
	give("a", "10.0.0.0/24")
	give("b", "10.0.2.0/24")
	give("c", "10.0.3.0/24")
	give("d", "")
	p.see(with("twin", "10.0.0.0/24"))
	p.drop("a")
	give("d", "") // its twin has it still
	p.drop("twin")
	give("d", "10.0.0.0/24")
	p.drop("odd")
	give("e", "10.0.1.0/24")
	if len(p.of) != 4 || len(p.used) != 4 || len(p.odd) != 0 {
		t.Errorf("left: %v, %v, %v", p.of, p.used, p.odd)
	}
	for _, bad := range []string{"", "10.0.0.0/25", "fd00::/16"} {
		if _, err := newPool(bad); err == nil {
			t.Errorf("newPool(%q) is fine", bad)
		}
	}
}

// Whatever happened to the nodes: how many are ready is what looking at each of them says.
func TestPulseCounts(t *testing.T) {
	at := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for seed := range uint64(100) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		p := newPulse(40*time.Second, at)
		now, nodes := at, map[schemas.NodeName]*corev1.Node{}
		for range 100 {
			node := schemas.NodeName(name(rnd.IntN(6)))
			switch rnd.IntN(6) {
			case 0:
				delete(nodes, node)
				p.drop(node)
			case 1:
				p.note(lease.Beat{Node: node})
			case 2:
				p.note(lease.Beat{Node: node, Lost: true})
			case 3:
				if rnd.IntN(8) == 0 {
					p.restart(now)
				}
			default:
				n := &corev1.Node{}
				n.Name, n.CreationTimestamp = string(node), metav1.NewTime(now)
				n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: []corev1.ConditionStatus{corev1.ConditionTrue, corev1.ConditionFalse}[rnd.IntN(2)]}}
				nodes[node] = n
				p.see(n)
			}
			now = now.Add(time.Duration(rnd.IntN(10)) * time.Second)
			ready := 0
			for node, n := range nodes {
				if l, _ := p.of(node, n.CreationTimestamp.Time, now); l != lost && readiness(n) == corev1.ConditionTrue {
					ready++
				}
			}
			if got, un := p.count(now); got != ready || un != len(nodes)-ready {
				t.Fatalf("seed %d: %d ready and %d not, want %d of %d", seed, got, un, ready, len(nodes))
			}
		}
	}
}

func TestJudge(t *testing.T) {
	tests := []struct {
		ready, unready int
		want           mercy
	}{
		{0, 0, evict}, {0, 1, spare}, {0, 50, spare}, {1, 2, evict}, {1, 3, hold}, {45, 55, slowly}, {46, 54, evict},
	}
	for _, tt := range tests {
		if got := judge(tt.ready, tt.unready); got != tt.want {
			t.Errorf("judge(%d, %d) = %d, want %d", tt.ready, tt.unready, got, tt.want)
		}
	}
}

// TestTurns: of nodes that are planned for at the same time one loses its pods; a turn whose plan
// could not be applied is another's.
func TestTurns(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	turns := &turns{interval: 10 * time.Second}
	var evicting atomic.Int32
	var undo func()
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			if p, giveBack := turns.plan(&corev1.Node{}, lost, evict, now); p.Evicting {
				evicting.Add(1)
				undo = giveBack
			} else {
				giveBack() // it had none
			}
		})
	}
	all.Wait()
	if n := evicting.Load(); n != 1 {
		t.Fatalf("%d nodes lose their pods at once", n)
	}
	if p, _ := turns.plan(&corev1.Node{}, lost, evict, now); p.Evicting || p.After != 10*time.Second {
		t.Errorf("the next one: %+v", p)
	}
	undo()
	if p, _ := turns.plan(&corev1.Node{}, lost, evict, now); !p.Evicting {
		t.Error("a turn that was given back is nobody's")
	}
}

func TestTolerated(t *testing.T) {
	at := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	added := metav1.NewTime(at)
	n := &corev1.Node{}
	n.Spec.Taints = []corev1.Taint{{Key: "a", Effect: corev1.TaintEffectNoExecute, TimeAdded: &added}, {Key: "b", Value: "x", Effect: corev1.TaintEffectNoExecute}, {Key: "c", Effect: corev1.TaintEffectNoSchedule}}
	tol := func(key string, seconds int64) corev1.Toleration {
		out := corev1.Toleration{Key: key, Operator: corev1.TolerationOpExists}
		if seconds >= 0 {
			out.TolerationSeconds = &seconds
		}
		return out
	}
	untimed := at.Add(time.Minute)
	tests := map[string]struct {
		tolerations []corev1.Toleration
		until       time.Time
		forever     bool
	}{
		"none":                       {nil, at, false},
		"one of two":                 {[]corev1.Toleration{tol("a", -1)}, untimed, false},
		"both for ever":              {[]corev1.Toleration{tol("a", -1), tol("b", -1)}, time.Time{}, true},
		"the shorter counts":         {[]corev1.Toleration{tol("a", 300), tol("b", 10)}, untimed.Add(10 * time.Second), false},
		"of two that match, shorter": {[]corev1.Toleration{tol("", 300), tol("a", 20), tol("b", -1)}, at.Add(20 * time.Second), false},
		"value matters":              {[]corev1.Toleration{tol("a", -1), {Key: "b", Value: "y"}}, untimed, false},
	}
	for name, tt := range tests {
		p := &corev1.Pod{}
		p.Spec.Tolerations = tt.tolerations
		if until, forever := tolerated(p, n, untimed); !until.Equal(tt.until) && !forever || forever != tt.forever {
			t.Errorf("%s: %s, %t", name, until, forever)
		}
	}
}
