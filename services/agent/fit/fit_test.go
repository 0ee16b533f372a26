package fit

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
)

// asks is a pod whose container requests resources: "cpu=1", "memory=1Gi".
func asks(name string, resources ...string) *v1.Pod {
	l := v1.ResourceList{}
	for _, r := range resources {
		n, q, _ := strings.Cut(r, "=")
		l[v1.ResourceName(n)] = resource.MustParse(q)
	}
	return &v1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name)},
		Spec: v1.PodSpec{Containers: []v1.Container{{Resources: v1.ResourceRequirements{Requests: l}}}}}
}

func with(p *v1.Pod, change func(*v1.PodSpec)) *v1.Pod {
	change(&p.Spec)
	return p
}

func takes(port v1.ContainerPort) func(*v1.PodSpec) {
	return func(s *v1.PodSpec) { s.Containers[0].Ports = []v1.ContainerPort{port} }
}

func node() *v1.Node {
	return &v1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: "n1", Labels: map[string]string{"zone": "a"}},
		Spec: v1.NodeSpec{Taints: []v1.Taint{
			{Key: "gone", Effect: v1.TaintEffectNoExecute}, {Key: "full", Effect: v1.TaintEffectNoSchedule},
		}},
		Status: v1.NodeStatus{Allocatable: v1.ResourceList{
			"cpu": resource.MustParse("2"), "memory": resource.MustParse("4Gi"), "ephemeral-storage": resource.MustParse("10Gi"),
			"pods": resource.MustParse("3"), "example.com/gpu": resource.MustParse("1"),
		}},
	}
}

func stays(s *v1.PodSpec) {
	s.Tolerations = append(s.Tolerations, v1.Toleration{Key: "gone", Operator: v1.TolerationOpExists, TolerationSeconds: ptr.To[int64](0)})
}

// TestCheck: reasons and messages are the kubelet's.
func TestCheck(t *testing.T) {
	port := v1.ContainerPort{HostPort: 80, Protocol: v1.ProtocolTCP}
	for name, c := range map[string]struct {
		pod    *v1.Pod
		others []*v1.Pod
		want   []string
	}{
		"fits":               {asks("p", "cpu=1"), []*v1.Pod{asks("a", "cpu=1"), asks("b", "memory=4Gi")}, nil},
		"no cpu":             {asks("p", "cpu=1500m"), []*v1.Pod{asks("a", "cpu=1")}, []string{"OutOfcpu: Node didn't have enough resource: cpu, requested: 1500, used: 1000, capacity: 2000"}},
		"asks for nothing":   {asks("p"), []*v1.Pod{asks("a", "cpu=5")}, nil},
		"asks for no cpu":    {asks("p", "cpu=0", "memory=1Gi"), []*v1.Pod{asks("a", "cpu=5")}, nil},
		"no memory":          {asks("p", "memory=5Gi"), nil, []string{"OutOfmemory: Node didn't have enough resource: memory, requested: 5368709120, used: 0, capacity: 4294967296"}},
		"no disk":            {asks("p", "ephemeral-storage=11Gi"), nil, []string{"OutOfephemeral-storage: Node didn't have enough resource: ephemeral-storage, requested: 11811160064, used: 0, capacity: 10737418240"}},
		"too many":           {asks("p"), []*v1.Pod{asks("a"), asks("b"), asks("c")}, []string{"OutOfpods: Node didn't have enough resource: pods, requested: 1, used: 3, capacity: 3"}},
		"no device":          {asks("p", "example.com/gpu=1"), []*v1.Pod{asks("a", "example.com/gpu=1")}, []string{"OutOfexample.com/gpu: Node didn't have enough resource: example.com/gpu, requested: 1, used: 1, capacity: 1"}},
		"no such device":     {asks("p", "example.com/other=1"), nil, nil},
		"no huge pages":      {asks("p", "hugepages-2Mi=2Mi"), nil, []string{"OutOfhugepages-2Mi: Node didn't have enough resource: hugepages-2Mi, requested: 2097152, used: 0, capacity: 0"}},
		"two at once":        {asks("p", "cpu=3", "memory=5Gi"), nil, []string{"OutOfcpu: Node didn't have enough resource: cpu, requested: 3000, used: 0, capacity: 2000", "OutOfmemory: Node didn't have enough resource: memory, requested: 5368709120, used: 0, capacity: 4294967296"}},
		"selector":           {with(asks("p"), func(s *v1.PodSpec) { s.NodeSelector = map[string]string{"zone": "b"} }), nil, []string{"NodeAffinity: Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector"}},
		"selected":           {with(asks("p"), func(s *v1.PodSpec) { s.NodeSelector = map[string]string{"zone": "a"} }), nil, nil},
		"another's":          {with(asks("p"), func(s *v1.PodSpec) { s.NodeName = "n2" }), nil, []string{"NodeName: Predicate NodeName failed: node(s) didn't match the requested node name"}},
		"port":               {with(asks("p"), takes(port)), []*v1.Pod{with(asks("a"), takes(port))}, []string{"NodePorts: Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports"}},
		"port, another IP":   {with(asks("p"), takes(v1.ContainerPort{HostPort: 80, HostIP: "10.0.0.1"})), []*v1.Pod{with(asks("a"), takes(v1.ContainerPort{HostPort: 80, HostIP: "10.0.0.2"}))}, nil},
		"port, every IP":     {with(asks("p"), takes(v1.ContainerPort{HostPort: 80, HostIP: "10.0.0.1"})), []*v1.Pod{with(asks("a"), takes(port))}, []string{"NodePorts: Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports"}},
		"port, another kind": {with(asks("p"), takes(v1.ContainerPort{HostPort: 80, Protocol: v1.ProtocolUDP})), []*v1.Pod{with(asks("a"), takes(port))}, nil},
	} {
		var got []string
		for _, r := range Check(with(c.pod, stays), node(), Beside(c.others...)) {
			got = append(got, r.Reason+": "+r.Message)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
	// Only what ends pods that run keeps one from coming.
	got := Check(asks("p"), node(), Others{})
	if len(got) != 1 || got[0].Reason != "TaintToleration" || got[0].Message != "Predicate TaintToleration failed: node(s) had taints that the pod didn't tolerate" || got[0].Fleeting() {
		t.Errorf("untolerated: %+v", got)
	}
}

func prior(priority int32) func(*v1.PodSpec) {
	return func(s *v1.PodSpec) { s.Priority = &priority }
}

func guaranteed(s *v1.PodSpec) { s.Containers[0].Resources.Limits = s.Containers[0].Resources.Requests }

func TestVictims(t *testing.T) {
	best, small, large := asks("best"), asks("small", "cpu=500m"), asks("large", "cpu=1500m")
	whole := with(asks("whole", "cpu=1", "memory=1Gi"), guaranteed)
	chief := with(asks("chief", "cpu=2"), prior(criticalFrom))
	for name, c := range map[string]struct {
		cpu    string
		others []*v1.Pod
		want   []string
		enough bool
	}{
		"the one that just does": {"1", []*v1.Pod{small, large, whole}, []string{"large"}, true},
		"the smaller one":        {"400m", []*v1.Pod{large, small}, []string{"small"}, true},
		"both":                   {"2", []*v1.Pod{small, large, whole}, []string{"large", "small"}, true},
		"the best class last":    {"2500m", []*v1.Pod{small, large, whole}, []string{"large", "whole"}, true},
		"not who is critical":    {"1", []*v1.Pod{chief, small}, nil, false},
		"nobody for nothing":     {"1", []*v1.Pod{best}, nil, false},
	} {
		p := with(asks("p", "cpu="+c.cpu), prior(criticalFrom))
		n := node()
		n.Spec.Taints, n.Status.Allocatable["cpu"] = nil, Taken(c.others)["cpu"]
		n.Status.Allocatable["pods"] = resource.MustParse("100")
		victims, enough := Victims(p, Check(p, n, Beside(c.others...)), c.others)
		var got []string
		for _, v := range victims {
			got = append(got, v.Name)
		}
		slices.Sort(got)
		if enough != c.enough || !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, %v", name, got, enough)
		}
	}
}

// TestVictimsMakeRoom: once they have left, the pod fits, and none of them could have stayed
// while the others left; a pod that can be taken when all have left has victims.
func TestVictimsMakeRoom(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	amount := func(most int) string {
		return resource.NewMilliQuantity(int64(r.IntN(most)*100), resource.DecimalSI).String()
	}
	bytes := func(most int) string {
		return resource.NewQuantity(int64(r.IntN(most))<<28, resource.BinarySI).String()
	}
	for range 2000 {
		n := node()
		n.Spec.Taints = nil
		n.Status.Allocatable["pods"] = *resource.NewQuantity(int64(1+r.IntN(8)), resource.DecimalSI)
		var others []*v1.Pod
		for i := range r.IntN(8) {
			p := with(asks(string(rune('a'+i)), "cpu="+amount(10), "memory="+bytes(6)), prior([]int32{0, criticalFrom, criticalFrom + 1000}[r.IntN(3)]))
			if r.IntN(3) == 0 {
				guaranteed(&p.Spec)
			}
			others = append(others, p)
		}
		p := with(asks("p", "cpu="+amount(25), "memory="+bytes(16)), prior(criticalFrom))
		why := Check(p, n, Beside(others...))
		if len(why) == 0 {
			continue
		}
		victims, enough := Victims(p, why, others)
		without := func(gone []*v1.Pod) []*v1.Pod {
			return slices.DeleteFunc(slices.Clone(others), func(o *v1.Pod) bool { return slices.Contains(gone, o) })
		}
		left := without(victims)
		if !enough {
			left = slices.DeleteFunc(slices.Clone(others), func(o *v1.Pod) bool { return yields(o, p) })
		}
		if fits := len(Check(p, n, Beside(left...))) == 0; fits != enough {
			t.Fatalf("enough %v, fits %v: %v beside %d", enough, fits, p.Spec.Containers[0].Resources, len(others))
		}
		for _, v := range victims {
			if !yields(v, p) {
				t.Fatalf("%s was driven out", v.Name)
			}
		}
	}
}
