package eviction

import (
	"fmt"
	"strings"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/skerry/skerry/schemas/amount"
)

// Reason is that of the status of a pod that was ended.
const Reason = "Evicted"

func quantity(n int64, name v1.ResourceName) string {
	f := resource.BinarySI
	if name == inodes || name == "pids" {
		f = resource.DecimalSI
	}
	return resource.NewQuantity(n, f).String()
}

// message says why c was ended for t, in the kubelet's words.
func message(t Threshold, l Level, c candidate, p part) string {
	name := meanings[t.Signal].resource
	var b strings.Builder
	fmt.Fprintf(&b, "The node was low on resource: %s. ", name)
	fmt.Fprintf(&b, "Threshold quantity: %s, available: %s. ", quantity(t.Amount.Of(l.Capacity), name), quantity(l.Available, name))
	for i := range c.pod.Spec.Containers {
		ct := &c.pod.Spec.Containers[i]
		used, want := containerUse(t.Signal, c.use.Containers[ct.Name], p), amount.RequestsOf(ct)
		request := want[name]
		if used > request.Value() {
			fmt.Fprintf(&b, "Container %s was using %s, request is %s, has larger consumption of %s. ",
				ct.Name, quantity(used, name), request.String(), name)
		}
	}
	return b.String()
}

func containerUse(s Signal, u ContainerUse, p part) int64 {
	switch s {
	case MemoryAvailable:
		return u.Memory
	case PIDAvailable:
		return 0
	}
	return Use{Containers: map[string]ContainerUse{"": u}}.disk(p).of(s)
}

// target is the condition of a pod that was ended.
func target(message string) *v1.PodCondition {
	return &v1.PodCondition{
		Type: v1.DisruptionTarget, Status: v1.ConditionTrue, Reason: v1.PodReasonTerminationByKubelet, Message: message,
	}
}
