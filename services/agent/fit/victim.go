package fit

import (
	"cmp"
	"math"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/skerry/skerry/schemas/amount"
)

// criticalFrom is the priority of system-cluster-critical.
const criticalFrom = 2_000_000_000

// Critical tells whether a node makes room for p.
func Critical(p *v1.Pod) bool { return p.Spec.Priority != nil && *p.Spec.Priority >= criticalFrom }

// Victims are those of others that must leave for a critical pod to get what it lacks: few,
// and rather those of the lower classes of quality. false if not all of them would do.
func Victims(p *v1.Pod, why []Refusal, others []*v1.Pod) ([]*v1.Pod, bool) {
	need := map[v1.ResourceName]resource.Quantity{}
	for _, r := range why {
		if r.Lacks() {
			need[r.resource] = r.short
		}
	}
	classes := map[v1.PodQOSClass][]*v1.Pod{}
	for _, o := range others {
		if yields(o, p) {
			class := amount.QOS(&o.Spec)
			classes[class] = append(classes[class], o)
		}
	}
	low, mid, high := classes[v1.PodQOSBestEffort], classes[v1.PodQOSBurstable], classes[v1.PodQOSGuaranteed]
	// Of the best class only what all others could not give, and so on downwards.
	best, ok := nearest(high, less(less(need, low), mid))
	if !ok {
		return nil, false
	}
	middle, _ := nearest(mid, less(less(need, low), best))
	rest, _ := nearest(low, less(less(need, middle), best))
	return append(append(rest, middle...), best...), true
}

// yields tells whether o may be driven out for p.
func yields(o, p *v1.Pod) bool {
	return Critical(p) && !Critical(o) || o.Spec.Priority != nil && p.Spec.Priority != nil && *p.Spec.Priority > *o.Spec.Priority
}

// has is what a pod gives back of one resource.
func has(p *v1.Pod, n v1.ResourceName) resource.Quantity {
	if n == v1.ResourcePods {
		return *resource.NewQuantity(1, resource.DecimalSI)
	}
	return amount.Requests(&p.Spec)[n]
}

// less is what is still needed once pods have left.
func less(need map[v1.ResourceName]resource.Quantity, pods []*v1.Pod) map[v1.ResourceName]resource.Quantity {
	left := map[v1.ResourceName]resource.Quantity{}
	for n, q := range need {
		q = q.DeepCopy()
		for _, p := range pods {
			q.Sub(has(p, n))
		}
		if q.Sign() > 0 {
			left[n] = q
		}
	}
	return left
}

// nearest takes the pod that brings need closest to nothing, the smaller of two, until nothing
// is needed. false if pods do not have that much.
func nearest(pods []*v1.Pod, need map[v1.ResourceName]resource.Quantity) (out []*v1.Pod, ok bool) {
	left := append([]*v1.Pod(nil), pods...)
	for len(need) > 0 {
		best := -1
		for i := range left {
			if best < 0 || cmp.Or(cmp.Compare(distance(left[i], need), distance(left[best], need)), size(left[i], left[best])) < 0 {
				best = i
			}
		}
		if best < 0 {
			return out, false
		}
		out, need = append(out, left[best]), less(need, left[best:best+1])
		left = append(left[:best], left[best+1:]...)
	}
	return out, true
}

func distance(p *v1.Pod, need map[v1.ResourceName]resource.Quantity) (sum float64) {
	for n, q := range need {
		gives := has(p, n)
		if rest := q.AsApproximateFloat64() - gives.AsApproximateFloat64(); rest > 0 {
			sum += math.Pow(rest/q.AsApproximateFloat64(), 2)
		}
	}
	return sum
}

// size compares what two pods request, memory first.
func size(a, b *v1.Pod) int {
	x, y := amount.Requests(&a.Spec), amount.Requests(&b.Spec)
	return cmp.Or(x.Memory().Cmp(*y.Memory()), x.Cpu().Cmp(*y.Cpu()))
}
