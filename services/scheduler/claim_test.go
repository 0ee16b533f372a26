package scheduler

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus/view"
	"github.com/skerry/skerry/schemas"
)

// judge follows the work orders and notes what no number of schedulers may do.
type judge struct {
	mu     sync.Mutex
	zones  map[string]string // by node
	pods   map[schemas.Ref]*v1.Pod
	broken []string
	full   chan struct{} // closed once cpu is all taken
	cpu    int64
}

func (j *judge) see(c view.Change) {
	p, ok := c.Object.(*v1.Pod)
	if !ok || p.Spec.NodeName == "" {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if was := j.pods[c.Ref]; was != nil {
		return
	}
	j.pods[c.Ref] = p
	var cpu, ports, all int64
	for _, o := range j.pods {
		ask := o.Spec.Containers[0].Resources.Requests.Cpu().Value()
		all += ask
		if o.Spec.NodeName == p.Spec.NodeName {
			cpu += ask
			ports += int64(len(o.Spec.Containers[0].Ports))
		}
		if o.Name != p.Name && o.Labels["app"] == "solo" && p.Labels["app"] == "solo" && j.zones[o.Spec.NodeName] == j.zones[p.Spec.NodeName] {
			j.broken = append(j.broken, fmt.Sprintf("%s and %s are in one zone", o.Name, p.Name))
		}
	}
	if cpu > 4 || ports > 1 {
		j.broken = append(j.broken, fmt.Sprintf("%s makes %d cpu and %d times one port on %s", p.Name, cpu, ports, p.Spec.NodeName))
	}
	if all == j.cpu {
		close(j.full)
	}
}

// TestSchedulersNeverOvercommit: three schedulers race for a cluster that is too small
// for what they have to place. No node's cpu and ports are given twice, no anti-affinity
// is broken, and all cpu is used in the end.
func TestSchedulersNeverOvercommit(t *testing.T) {
	r := newRig(t)
	names := []string{v1.DefaultSchedulerName, "packer", "other"}
	j := &judge{zones: map[string]string{}, pods: map[schemas.Ref]*v1.Pod{}, full: make(chan struct{}), cpu: 8 * 4}
	var nodes, objs []schemas.Object
	for i := range 8 {
		n := r.node(fmt.Sprintf("n%d", i), "4")
		n.Labels["zone"] = fmt.Sprint(i % 2)
		j.zones[n.Name] = n.Labels["zone"]
		nodes = append(nodes, n)
	}
	for i, scheduler := range names {
		by := func(p *v1.Pod) { p.Spec.SchedulerName = scheduler }
		for k := range 5 {
			objs = append(objs, r.pod(fmt.Sprintf("port-%d-%d", i, k), "1", by, func(p *v1.Pod) {
				p.Spec.Containers[0].Ports = []v1.ContainerPort{{ContainerPort: 80, HostPort: 80, Protocol: v1.ProtocolTCP}}
			}))
		}
		for k := range 2 {
			objs = append(objs, r.pod(fmt.Sprintf("solo-%d-%d", i, k), "1", by, func(p *v1.Pod) {
				p.Labels = map[string]string{"app": "solo"}
				p.Spec.Affinity = &v1.Affinity{PodAntiAffinity: &v1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []v1.PodAffinityTerm{
					{TopologyKey: "zone", LabelSelector: &metav1.LabelSelector{MatchLabels: p.Labels}}}}}
			}))
		}
		for k := range 15 {
			objs = append(objs, r.pod(fmt.Sprintf("plain-%d-%d", i, k), "1", by))
		}
	}
	defer r.view.Handle(j.see)()
	r.put(objs...)
	var all sync.WaitGroup
	for _, name := range names {
		r.run(name)
		// Each has decided already when there are nodes.
		all.Go(func() {
			r.await(fmt.Sprintf("plain-%d-14", slices.Index(names, name)), "refused", condition(v1.PodReasonUnschedulable))
		})
	}
	all.Wait()
	r.put(nodes...)
	select {
	case <-j.full:
	case <-time.After(60 * time.Second):
		t.Error("the cluster is not full")
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, what := range j.broken {
		t.Error(what)
	}
}
