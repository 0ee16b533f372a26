package place

import (
	"errors"
	"fmt"
	"math/rand"
	"testing"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/skerry/skerry/schemas"
)

func node(name, cpu, memory string, edit ...func(*v1.Node)) *v1.Node {
	n := &v1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"kubernetes.io/hostname": name}}}
	n.Status.Allocatable = v1.ResourceList{
		v1.ResourceCPU: resource.MustParse(cpu), v1.ResourceMemory: resource.MustParse(memory), v1.ResourcePods: resource.MustParse("110"),
	}
	for _, e := range edit {
		e(n)
	}
	return n
}

func pod(name, cpu, memory string, edit ...func(*v1.Pod)) *v1.Pod {
	p := &v1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default", UID: types.UID(name)}}
	p.Spec.Containers = []v1.Container{{Name: "c", Resources: v1.ResourceRequirements{Requests: v1.ResourceList{
		v1.ResourceCPU: resource.MustParse(cpu), v1.ResourceMemory: resource.MustParse(memory),
	}}}}
	for _, e := range edit {
		e(p)
	}
	return p
}

func taint(key, value string, effect v1.TaintEffect) func(*v1.Node) {
	return func(n *v1.Node) {
		n.Spec.Taints = append(n.Spec.Taints, v1.Taint{Key: key, Value: value, Effect: effect})
	}
}

func hostPortOf(port int32) func(*v1.Pod) {
	return func(p *v1.Pod) {
		p.Spec.Containers[0].Ports = []v1.ContainerPort{{HostPort: port, ContainerPort: port, Protocol: v1.ProtocolTCP}}
	}
}

func requireZone(op v1.NodeSelectorOperator, values ...string) func(*v1.Pod) {
	return func(p *v1.Pod) {
		p.Spec.Affinity = &v1.Affinity{NodeAffinity: &v1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &v1.NodeSelector{
			NodeSelectorTerms: []v1.NodeSelectorTerm{{MatchExpressions: []v1.NodeSelectorRequirement{{Key: "zone", Operator: op, Values: values}}}},
		}}}
	}
}

func TestDecide(t *testing.T) {
	zone := func(z string) func(*v1.Node) { return func(n *v1.Node) { n.Labels["zone"] = z } }
	tests := []struct {
		name   string
		nodes  []*v1.Node
		placed map[string]*v1.Pod // node → pod
		pod    *v1.Pod
		want   string
		unfit  string
	}{
		{name: "no nodes", pod: pod("p", "1", "1Gi"), unfit: "no nodes available to schedule pods"},
		{name: "short of cpu and memory", nodes: []*v1.Node{node("a", "1", "1Gi"), node("b", "4", "1Gi")}, pod: pod("p", "2", "2Gi"),
			unfit: "0/2 nodes are available: 1 Insufficient cpu, 2 Insufficient memory."},
		{name: "what is placed counts", nodes: []*v1.Node{node("a", "2", "4Gi")}, placed: map[string]*v1.Pod{"a": pod("x", "1500m", "1Gi")},
			pod: pod("p", "1", "1Gi"), unfit: "0/1 nodes are available: 1 Insufficient cpu."},
		{name: "exactly full fits", nodes: []*v1.Node{node("a", "2", "4Gi")}, placed: map[string]*v1.Pod{"a": pod("x", "1", "1Gi")}, pod: pod("p", "1", "3Gi"), want: "a"},
		{name: "unschedulable", nodes: []*v1.Node{node("a", "2", "4Gi", func(n *v1.Node) { n.Spec.Unschedulable = true })}, pod: pod("p", "1", "1Gi"),
			unfit: "0/1 nodes are available: 1 node(s) were unschedulable."},
		{name: "taint", nodes: []*v1.Node{node("a", "2", "4Gi", taint("k", "v", v1.TaintEffectNoSchedule)), node("b", "2", "4Gi")}, pod: pod("p", "1", "1Gi"), want: "b"},
		{name: "taint reason", nodes: []*v1.Node{node("a", "2", "4Gi", taint("k", "v", v1.TaintEffectNoExecute))}, pod: pod("p", "1", "1Gi"),
			unfit: "0/1 nodes are available: 1 node(s) had untolerated taint {k: v}."},
		{name: "toleration", nodes: []*v1.Node{node("a", "2", "4Gi", taint("k", "v", v1.TaintEffectNoSchedule))},
			pod: pod("p", "1", "1Gi", func(p *v1.Pod) { p.Spec.Tolerations = []v1.Toleration{{Key: "k", Operator: v1.TolerationOpExists}} }), want: "a"},
		{name: "toleration of another value", nodes: []*v1.Node{node("a", "2", "4Gi", taint("k", "v", v1.TaintEffectNoSchedule))},
			pod:   pod("p", "1", "1Gi", func(p *v1.Pod) { p.Spec.Tolerations = []v1.Toleration{{Key: "k", Value: "w"}} }),
			unfit: "0/1 nodes are available: 1 node(s) had untolerated taint {k: v}."},
		{name: "node selector", nodes: []*v1.Node{node("a", "2", "4Gi"), node("b", "2", "4Gi", zone("eu"))},
			pod: pod("p", "1", "1Gi", func(p *v1.Pod) { p.Spec.NodeSelector = map[string]string{"zone": "eu"} }), want: "b"},
		{name: "affinity in", nodes: []*v1.Node{node("a", "2", "4Gi", zone("us")), node("b", "2", "4Gi", zone("eu"))}, pod: pod("p", "1", "1Gi", requireZone(v1.NodeSelectorOpIn, "eu", "ap")), want: "b"},
		{name: "affinity not in", nodes: []*v1.Node{node("a", "2", "4Gi", zone("us")), node("b", "2", "4Gi", zone("eu"))}, pod: pod("p", "1", "1Gi", requireZone(v1.NodeSelectorOpNotIn, "eu")), want: "a"},
		{name: "affinity gt", nodes: []*v1.Node{node("a", "2", "4Gi", zone("3")), node("b", "2", "4Gi", zone("7"))}, pod: pod("p", "1", "1Gi", requireZone(v1.NodeSelectorOpGt, "5")), want: "b"},
		{name: "affinity does not exist", nodes: []*v1.Node{node("a", "2", "4Gi", zone("us")), node("b", "2", "4Gi")}, pod: pod("p", "1", "1Gi", requireZone(v1.NodeSelectorOpDoesNotExist)), want: "b"},
		{name: "affinity reason", nodes: []*v1.Node{node("a", "2", "4Gi")}, pod: pod("p", "1", "1Gi", requireZone(v1.NodeSelectorOpExists)),
			unfit: "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector."},
		{name: "host port", nodes: []*v1.Node{node("a", "2", "4Gi")}, placed: map[string]*v1.Pod{"a": pod("x", "1m", "1Mi", hostPortOf(80))}, pod: pod("p", "1m", "1Mi", hostPortOf(80)),
			unfit: "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports."},
		{name: "another host port", nodes: []*v1.Node{node("a", "2", "4Gi")}, placed: map[string]*v1.Pod{"a": pod("x", "1m", "1Mi", hostPortOf(80))}, pod: pod("p", "1m", "1Mi", hostPortOf(81)), want: "a"},
		{name: "the freer node", nodes: []*v1.Node{node("a", "2", "4Gi"), node("b", "8", "16Gi")}, placed: map[string]*v1.Pod{"a": pod("x", "1", "2Gi")}, pod: pod("p", "100m", "100Mi"), want: "b"},
		{name: "too many pods", nodes: []*v1.Node{node("a", "2", "4Gi", func(n *v1.Node) { n.Status.Allocatable[v1.ResourcePods] = resource.MustParse("0") })}, pod: pod("p", "1m", "1Mi"),
			unfit: "0/1 nodes are available: 1 Too many pods."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := NewCluster(Policy{})
			for _, n := range tt.nodes {
				c.SetNode(n)
			}
			for on, p := range tt.placed {
				c.SetPod(NewPod(p), schemas.NodeName(on))
			}
			got, err := c.Decide(NewPod(tt.pod))
			if string(got) != tt.want {
				t.Errorf("placed on %q, want %q", got, tt.want)
			}
			var unfit *Unfit
			if errors.As(err, &unfit) != (tt.unfit != "") || tt.unfit != "" && unfit.Error() != tt.unfit {
				t.Errorf("unfit: %v\nwant:  %s", err, tt.unfit)
			}
		})
	}
}

func TestPodsOfOneOwnerSpread(t *testing.T) {
	c := NewCluster(Policy{})
	for i := range 3 {
		c.SetNode(node(fmt.Sprintf("n%d", i), "8", "16Gi"))
	}
	owned := func(p *v1.Pod) {
		p.OwnerReferences = []metav1.OwnerReference{{UID: "rs", Controller: ptr.To(true)}}
	}
	count := map[schemas.NodeName]int{}
	for i := range 9 {
		p := NewPod(pod(fmt.Sprintf("p%d", i), "0", "0", owned))
		n, err := c.Decide(p)
		if err != nil {
			t.Fatal(err)
		}
		c.SetPod(p, n)
		count[n]++
	}
	for n, k := range count {
		if k != 3 {
			t.Errorf("%s has %d of 9 pods, want 3: %v", n, k, count)
		}
	}
}

func TestEffectiveRequest(t *testing.T) {
	always := v1.ContainerRestartPolicyAlways
	c := func(cpu string, policy *v1.ContainerRestartPolicy) v1.Container {
		return v1.Container{RestartPolicy: policy, Resources: v1.ResourceRequirements{Requests: v1.ResourceList{v1.ResourceCPU: resource.MustParse(cpu)}}}
	}
	tests := []struct {
		name string
		spec v1.PodSpec
		want int64
	}{
		{"containers add up", v1.PodSpec{Containers: []v1.Container{c("1", nil), c("500m", nil)}}, 1500},
		{"the largest init container counts", v1.PodSpec{InitContainers: []v1.Container{c("3", nil), c("1", nil)}, Containers: []v1.Container{c("1", nil)}}, 3000},
		{"a sidecar runs beside the containers", v1.PodSpec{InitContainers: []v1.Container{c("1", &always)}, Containers: []v1.Container{c("1", nil)}}, 2000},
		{"an init container runs beside earlier sidecars", v1.PodSpec{InitContainers: []v1.Container{c("1", &always), c("4", nil)}, Containers: []v1.Container{c("1", nil)}}, 5000},
		{"overhead", v1.PodSpec{Containers: []v1.Container{c("1", nil)}, Overhead: v1.ResourceList{v1.ResourceCPU: resource.MustParse("250m")}}, 1250},
	}
	for _, tt := range tests {
		if got := requestOf(&tt.spec).MilliCPU; got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}

// TestPlacementsNeverExceedCapacity places and removes pods at random and checks
// the sums from scratch, and that the same cluster gives the same answer.
func TestPlacementsNeverExceedCapacity(t *testing.T) {
	for seed := range int64(20) {
		r := rand.New(rand.NewSource(seed))
		a, b := NewCluster(Policy{}), NewCluster(Policy{})
		for i := range 1 + r.Intn(8) {
			n := node(fmt.Sprintf("n%d", i), fmt.Sprint(1+r.Intn(8)), fmt.Sprintf("%dGi", 1+r.Intn(16)))
			a.SetNode(n)
			b.SetNode(n)
		}
		live := map[types.UID]*v1.Pod{}
		for i := range 200 {
			if r.Intn(3) == 0 {
				for uid := range live {
					a.RemovePod(uid)
					b.RemovePod(uid)
					delete(live, uid)
					break
				}
				continue
			}
			p := pod(fmt.Sprintf("p%d", i), fmt.Sprintf("%dm", r.Intn(2000)), fmt.Sprintf("%dMi", r.Intn(4000)))
			na, ea := a.Decide(NewPod(p))
			nb, eb := b.Decide(NewPod(p))
			if na != nb || (ea == nil) != (eb == nil) {
				t.Fatalf("seed %d: %q and %q for the same cluster", seed, na, nb)
			}
			if ea != nil {
				continue
			}
			a.SetPod(NewPod(p), na)
			b.SetPod(NewPod(p), nb)
			live[p.UID] = p
		}
		for name, n := range a.byName {
			var sum Resources
			for uid, p := range live {
				if a.pods[uid].node == name {
					sum = sum.plus(requestOf(&p.Spec))
				}
			}
			if sum.MilliCPU != n.requested.MilliCPU || sum.Memory != n.requested.Memory {
				t.Errorf("seed %d: %s counts %+v, has %+v", seed, name, n.requested, sum)
			}
			if sum.MilliCPU > n.allocatable.MilliCPU || sum.Memory > n.allocatable.Memory {
				t.Errorf("seed %d: %s holds %+v of %+v", seed, name, sum, n.allocatable)
			}
		}
	}
}
