//go:build linux

package pod_test

import (
	"sync"
	"testing"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/services/agent/fit"
	"github.com/skerry/skerry/services/agent/pod"
	"github.com/skerry/skerry/services/agent/sandbox"
)

// gate is a node that takes what fits beside what it has taken.
type gate struct {
	mu    sync.Mutex
	has   v1.ResourceList
	asked map[string]chan struct{} // closed once the node was asked about a pod of that name
}

func (n *gate) give(cpu string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.has = v1.ResourceList{v1.ResourceCPU: resource.MustParse(cpu), v1.ResourcePods: resource.MustParse("10")}
}

// of is closed once the node was asked about the pod called name.
func (n *gate) of(name string) chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.asked == nil {
		n.asked = map[string]chan struct{}{}
	}
	if n.asked[name] == nil {
		n.asked[name] = make(chan struct{})
	}
	return n.asked[name]
}

func (n *gate) admit(p *v1.Pod, others fit.Others) pod.Verdict {
	asked := n.of(p.Name)
	n.mu.Lock()
	defer n.mu.Unlock()
	select {
	case <-asked:
	default:
		close(asked)
	}
	why := fit.Check(p, &v1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1"}, Status: v1.NodeStatus{Allocatable: n.has}}, others)
	if len(why) == 0 {
		return pod.Verdict{}
	}
	if fit.Critical(p) {
		victims, _ := fit.Victims(p, why, others.Pods())
		return pod.Verdict{Victims: victims}
	}
	return pod.Verdict{Refuse: &pod.Eviction{UID: p.UID, Reason: why[0].Reason, Message: pod.Rejected + why[0].Message}, Fleeting: why[0].Fleeting()}
}

func cpu(request string) func(*v1.Pod) {
	return func(p *v1.Pod) {
		p.Spec.Containers[0].Resources.Requests = v1.ResourceList{v1.ResourceCPU: resource.MustParse(request)}
	}
}

func failed(st *v1.PodStatus) bool { return st != nil && st.Phase == v1.PodFailed }

// TestAdmission: of two pods of which each would fit, one is taken; what runs is asked about
// by no later agent, whatever has become of the node; and nobody is refused for the room of a
// pod that is leaving.
func TestAdmission(t *testing.T) {
	g, n := newRig(t), &gate{}
	n.give("1")
	g.stop()
	g.admit = n.admit
	g.start()
	g.mu.Lock()
	g.unsynced = true // or the first would be looked at before there is a second
	g.mu.Unlock()
	a, b := web("a", forever, cpu("600m")), web("b", forever, cpu("600m"))
	g.order(a)
	g.order(b)
	g.mu.Lock()
	g.unsynced = false
	g.mu.Unlock()
	st := g.await(pod.KeyOf(a), "decided", func(st *v1.PodStatus) bool {
		return failed(st) || st != nil && len(st.ContainerStatuses) > 0 && st.ContainerStatuses[0].State.Running != nil
	})
	if failed(st) {
		a, b = b, a
	}
	before := g.running(pod.KeyOf(a), 0).ContainerStatuses[0].ContainerID
	st = g.await(pod.KeyOf(b), "refused", failed)
	const short = "Node didn't have enough resource: cpu, requested: 600, used: 600, capacity: 1000"
	if st.Reason != "OutOfcpu" || st.Message != "Pod was rejected: "+short || !g.said("Warning OutOfcpu: "+short) {
		t.Errorf("%s: %q, events %q", st.Reason, st.Message, g.events)
	}

	g.cancel(pod.KeyOf(b)) // the next agent knows nothing of it, and would ask again

	// An agent that knows nothing but what runs, on a node that has too little by now.
	g.stop()
	n.give("100m")
	g.mu.Lock()
	g.statuses = map[sandbox.Key]*v1.Pod{}
	g.mu.Unlock()
	g.start()
	if c := g.running(pod.KeyOf(a), 0).ContainerStatuses[0]; c.ContainerID != before || c.RestartCount != 0 {
		t.Errorf("what ran became %+v", c)
	}
	late := web("late", forever, cpu("1m"))
	g.order(late)
	if st := g.await(pod.KeyOf(late), "refused", failed); st.Message != "Pod was rejected: Node didn't have enough resource: cpu, requested: 1, used: 600, capacity: 100" {
		t.Errorf("beside it: %q", st.Message)
	}

	// Its room is another's as soon as it is ordered no more, even if that is told late.
	n.give("1")
	next := web("next", forever, cpu("900m"))
	g.order(next)
	<-n.of("next")
	g.cancel(pod.KeyOf(a))
	g.running(pod.KeyOf(next), 0)

	// And a critical pod has it in any case.
	chief := web("chief", forever, cpu("500m"), func(p *v1.Pod) { p.Spec.Priority = new(int32(2_000_000_000)) })
	g.order(chief)
	g.running(pod.KeyOf(chief), 0)
	st = g.await(pod.KeyOf(next), "preempted", failed)
	if st.Reason != "Preempting" || st.Message != "Preempted in order to admit critical pod" || !g.said("Warning Preempting: Preempted in order") {
		t.Errorf("preempted: %+v", st)
	}
}
