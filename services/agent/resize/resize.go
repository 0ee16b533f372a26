// Package resize decides what becomes of a change of a running pod's resources: whether
// the node grants it, and what that means for each container.
//
// It is pure. What always holds: a pod runs with what it was granted last until a change
// is granted; what asks for less is granted at once; and what was granted survives the
// agent, for it is in the pod's status.
//
// https://kubernetes.io/docs/tasks/configure-pod-container/resize-container-resources/
package resize

import (
	"fmt"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/skerry/skerry/schemas/amount"
)

// resizable are the resources that can change while a pod runs.
var resizable = []v1.ResourceName{v1.ResourceCPU, v1.ResourceMemory}

// Room is the node's: what pods can have, and what the others were granted.
type Room struct{ Allocatable, Taken v1.ResourceList }

// Granted returns p with the resources that it was granted last, as its status tells, or p
// itself if these are what it asks for.
func Granted(p *v1.Pod, last v1.PodStatus) *v1.Pod {
	out := p
	own := func() *v1.Pod {
		if out == p {
			out = p.DeepCopy()
		}
		return out
	}
	for i := range p.Spec.Containers {
		if r := told(last.ContainerStatuses, &p.Spec.Containers[i]); r != nil {
			own().Spec.Containers[i].Resources = *r
		}
	}
	for i := range p.Spec.InitContainers {
		if r := told(last.InitContainerStatuses, &p.Spec.InitContainers[i]); r != nil {
			own().Spec.InitContainers[i].Resources = *r
		}
	}
	switch r := last.Resources; {
	case p.Spec.Resources == nil:
	case r == nil && last.Phase != "":
		own().Spec.Resources = nil // it had none as a whole
	case r != nil && Differs(*r, *p.Spec.Resources):
		own().Spec.Resources = merged(*p.Spec.Resources, *r)
	}
	return out
}

// told are the resources that a status tells of c, nil if they are what c asks for.
func told(list []v1.ContainerStatus, c *v1.Container) *v1.ResourceRequirements {
	for i := range list {
		if r := list[i].Resources; list[i].Name == c.Name && r != nil && Differs(*r, c.Resources) {
			return merged(c.Resources, *r)
		}
	}
	return nil
}

// merged is r with cpu and memory as in from.
func merged(r, from v1.ResourceRequirements) *v1.ResourceRequirements {
	out := r.DeepCopy()
	for _, n := range resizable {
		out.Requests, out.Limits = replaced(out.Requests, from.Requests, n), replaced(out.Limits, from.Limits, n)
	}
	return out
}

func replaced(l, from v1.ResourceList, n v1.ResourceName) v1.ResourceList {
	q, ok := from[n]
	if !ok {
		delete(l, n)
		return l
	}
	if l == nil {
		l = v1.ResourceList{}
	}
	l[n] = q
	return l
}

// Differs tells whether a and b differ in what can change while a pod runs.
func Differs(a, b v1.ResourceRequirements) bool { return len(changed(a, b)) > 0 }

func changed(a, b v1.ResourceRequirements) []v1.ResourceName {
	var out []v1.ResourceName
	for _, n := range resizable {
		same := func(a, b v1.ResourceList) bool {
			x, y := a[n], b[n]
			return x.Cmp(y) == 0
		}
		if !same(a.Requests, b.Requests) || !same(a.Limits, b.Limits) {
			out = append(out, n)
		}
	}
	return out
}

// Decide says why p, which has what granted has, cannot have what it asks for: never, or
// not now. nil grants it.
func Decide(p, granted *v1.Pod, room Room) *v1.PodCondition {
	want, have := amount.Requests(&p.Spec), amount.Requests(&granted.Spec)
	var later string
	for _, n := range resizable {
		ask, before := want[n], have[n]
		if ask.Cmp(before) <= 0 {
			continue
		}
		capacity, taken := room.Allocatable[n], room.Taken[n]
		if ask.Cmp(capacity) > 0 {
			return pending(p, v1.PodReasonInfeasible, fmt.Sprintf("Node didn't have enough capacity: %s, requested: %d, capacity: %d",
				n, number(n, want), number(n, room.Allocatable)))
		}
		sum := taken.DeepCopy()
		sum.Add(ask)
		if sum.Cmp(capacity) > 0 && later == "" {
			later = fmt.Sprintf("Node didn't have enough resource: %s, requested: %d, used: %d, capacity: %d",
				n, number(n, want), number(n, room.Taken), number(n, room.Allocatable))
		}
	}
	if later != "" {
		return pending(p, v1.PodReasonDeferred, later)
	}
	return nil
}

// number is in thousandths of a core, or in bytes.
func number(n v1.ResourceName, l v1.ResourceList) int64 {
	q := l[n]
	if n == v1.ResourceCPU {
		return q.MilliValue()
	}
	return q.Value()
}

func pending(p *v1.Pod, reason, message string) *v1.PodCondition {
	return &v1.PodCondition{Type: v1.PodResizePending, Status: v1.ConditionTrue, Reason: reason, Message: message, ObservedGeneration: p.Generation}
}

// Restarts tells whether c, which runs with was, must be started anew for what it asks for now.
func Restarts(c *v1.Container, was v1.ResourceRequirements) bool {
	for _, n := range changed(was, c.Resources) {
		for _, p := range c.ResizePolicy {
			if p.ResourceName == n && p.RestartPolicy == v1.RestartContainer {
				return true
			}
		}
	}
	return false
}

// Event is what to record of a pod when its pending condition changes from was to is; "" is nothing.
func Event(was, is *v1.PodCondition) (eventType, reason, message string) {
	if is == nil || was != nil && equality.Semantic.DeepEqual(was.Reason+was.Message, is.Reason+is.Message) {
		return "", "", ""
	}
	return v1.EventTypeWarning, "Resize" + is.Reason, "Pod resize " + is.Reason + ": " + is.Message
}
