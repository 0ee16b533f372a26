package place

import (
	"fmt"
	"testing"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/skerry/skerry/schemas"
)

// bench places b.N pods that make makes on 5,000 nodes of 10 zones, each 4 CPUs and 32
// GiB, as Kubernetes' scheduler benchmarks do, with before pods on them at first.
const benchNodes = 5000

func benchCluster() *Cluster {
	c := NewCluster(Policy{})
	c.SetNamespace("default", nil)
	for i := range benchNodes {
		c.SetNode(node(fmt.Sprintf("node-%04d", i), "4", "32Gi", func(n *v1.Node) { n.Labels["topology.kubernetes.io/zone"] = fmt.Sprintf("zone-%d", i%10) }))
	}
	return c
}

func benchPod(i int, edit ...func(*v1.Pod)) *Pod {
	return NewPod(pod(fmt.Sprintf("pod-%d", i), "100m", "500Mi", edit...))
}

func owned(p *v1.Pod) {
	p.OwnerReferences = []metav1.OwnerReference{{UID: "rs", Controller: ptr.To(true)}}
}

func color(i int) func(*v1.Pod) {
	return func(p *v1.Pod) { p.Labels = map[string]string{"color": fmt.Sprint("c", i)} }
}

func antiAffinity(p *v1.Pod) {
	p.Spec.Affinity = &v1.Affinity{PodAntiAffinity: &v1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []v1.PodAffinityTerm{{
		TopologyKey: "kubernetes.io/hostname", LabelSelector: &metav1.LabelSelector{MatchLabels: p.Labels},
	}}}}
}

func spreadBy(key string, skew int32, what v1.UnsatisfiableConstraintAction) func(*v1.Pod) {
	return func(p *v1.Pod) {
		p.Spec.TopologySpreadConstraints = append(p.Spec.TopologySpreadConstraints, v1.TopologySpreadConstraint{
			MaxSkew: skew, TopologyKey: key, WhenUnsatisfiable: what, LabelSelector: &metav1.LabelSelector{MatchLabels: p.Labels},
		})
	}
}

// benchPlace measures n placements.
func benchPlace(b *testing.B, n int, make func(i int) *Pod) {
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		c := benchCluster()
		pods := several(n, make)
		b.StartTimer()
		for _, p := range pods {
			on, err := c.Decide(p)
			if err != nil {
				b.Fatal(err)
			}
			c.SetPod(p, on)
		}
	}
	b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "pods/s")
}

func several(n int, f func(i int) *Pod) []*Pod {
	out := make([]*Pod, n)
	for i := range out {
		out[i] = f(i)
	}
	return out
}

func BenchmarkPlain10000(b *testing.B) {
	benchPlace(b, 10_000, func(i int) *Pod { return benchPod(i) })
}

func BenchmarkReplicas10000(b *testing.B) {
	benchPlace(b, 10_000, func(i int) *Pod { return benchPod(i, owned) })
}

func BenchmarkAntiAffinity5000(b *testing.B) {
	benchPlace(b, 5000, func(i int) *Pod { return benchPod(i, color(1), antiAffinity) })
}

func BenchmarkSpread5000(b *testing.B) {
	benchPlace(b, 5000, func(i int) *Pod {
		return benchPod(i, color(1), spreadBy("topology.kubernetes.io/zone", 5, v1.DoNotSchedule))
	})
}

func BenchmarkSpreadHost5000(b *testing.B) {
	benchPlace(b, 5000, func(i int) *Pod {
		return benchPod(i, color(1), spreadBy("kubernetes.io/hostname", 1, v1.DoNotSchedule))
	})
}

// BenchmarkManyKinds5000: as many kinds of pods as pods of a kind.
func BenchmarkManyKinds5000(b *testing.B) {
	benchPlace(b, 5000, func(i int) *Pod { return benchPod(i, color(i%70), antiAffinity) })
}

// BenchmarkLabelled5000: each has a label of its own, as a StatefulSet's have.
func BenchmarkLabelled5000(b *testing.B) {
	benchPlace(b, 5000, func(i int) *Pod { return benchPod(i, color(i), owned) })
}

// BenchmarkEachItsOwn2000: no two pods are alike.
func BenchmarkEachItsOwn2000(b *testing.B) {
	benchPlace(b, 2000, func(i int) *Pod {
		return benchPod(i, owned, func(p *v1.Pod) {
			p.Spec.Containers[0].Resources.Requests[v1.ResourceMemory] = *resource.NewQuantity(500<<20+int64(i), resource.BinarySI)
		})
	})
}

// BenchmarkUnschedulable5000 asks for 5,000 pods that fit nowhere, while as many others
// come and go.
func BenchmarkUnschedulable5000(b *testing.B) {
	const n = 5000
	for b.Loop() {
		b.StopTimer()
		c := benchCluster()
		big := several(n, func(i int) *Pod { return NewPod(pod(fmt.Sprintf("big-%d", i), "9", "500Mi")) })
		small := several(n, func(i int) *Pod { return benchPod(i) })
		b.StartTimer()
		for i := range n {
			if _, err := c.Decide(big[i]); err == nil {
				b.Fatal("it fits")
			}
			on, err := c.Decide(small[i])
			if err != nil {
				b.Fatal(err)
			}
			c.SetPod(small[i], on)
			if i >= 100 {
				c.RemovePod(small[i-100].UID)
			}
		}
	}
	b.ReportMetric(float64(2*n*b.N)/b.Elapsed().Seconds(), "pods/s")
}

// BenchmarkPreemption1000: 1,000 pods, each of which has to drive out others from 5,000
// full nodes.
func BenchmarkPreemption1000(b *testing.B) {
	const n = 1000
	for b.Loop() {
		b.StopTimer()
		c := benchCluster()
		for i := range 4 * benchNodes {
			c.SetPod(NewPod(pod(fmt.Sprintf("low-%d", i), "900m", "500Mi", func(p *v1.Pod) { p.Spec.Priority = ptr.To(int32(i % 3)) })), schemas.NodeName(fmt.Sprintf("node-%04d", i%benchNodes)))
		}
		high := several(n, func(i int) *Pod {
			return NewPod(pod(fmt.Sprintf("high-%d", i), "3", "500Mi", func(p *v1.Pod) { p.Spec.Priority = ptr.To(int32(10)) }))
		})
		b.StartTimer()
		for _, p := range high {
			if _, err := c.Decide(p); err == nil {
				b.Fatal("it fits")
			}
			pre, why := c.Preempt(p)
			if pre == nil {
				b.Fatal(why)
			}
			c.Nominate(p, pre.Node)
			for _, v := range pre.Victims {
				c.RemovePod(v.UID)
			}
			on, err := c.Decide(p)
			if err != nil || on != pre.Node {
				b.Fatal(on, err)
			}
			c.SetPod(p, on)
		}
	}
	b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "pods/s")
}
