// Package join makes the object that a client sees from the parts that different
// services write, and splits what a client sends into them. Pure.
//
// What always holds: metadata and spec come from desired; status parts count only if
// their uid is desired's uid (a name can be used again); the controller's conclusions
// override what the agent observed, condition by condition.
package join

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/amount"
)

// Join returns a new object, sharing nothing that it changes. Parts other than
// desired may be nil. assigned is a pod whose spec.nodeName says where it was placed,
// or whose status.conditions say why not; observed and current carry metadata
// (name, namespace, uid) and status. The result has no resourceVersion.
//
// Pods: spec.nodeName from assigned; status from observed, with PodScheduled from
// assigned, then current's conditions overlaid by type, and its phase, reason and
// message if it has a phase. A pod that no agent has reported yet is Pending, of the class that its
// resources make it, and one is
// Ready only if the conditions of its readiness gates are true.
// Nodes: status from observed, current's conditions overlaid. Other kinds: status
// from current.
func Join(kind *schemas.Kind, desired, assigned, observed, current schemas.Object) schemas.Object {
	assigned, observed, current = same(desired, assigned), same(desired, observed), same(desired, current)
	if d, ok := desired.(*unstructured.Unstructured); ok {
		return joinMaps(kind, d, asMap(current))
	}
	out := shallow(desired)
	out.SetResourceVersion("")
	switch out := out.(type) {
	case *corev1.Pod:
		joinPod(out, as[*corev1.Pod](assigned), as[*corev1.Pod](observed), as[*corev1.Pod](current))
	case *corev1.Node:
		joinNode(out, as[*corev1.Node](observed), as[*corev1.Node](current))
	case *corev1.Namespace:
		if c := as[*corev1.Namespace](current); c != nil {
			out.Status = c.Status
		}
		if out.Status.Phase == "" {
			out.Status.Phase = namespacePhase(out)
		}
	case *corev1.Service:
		copyStatus(out, current)
		if out.Spec.Type != corev1.ServiceTypeLoadBalancer {
			out.Status.LoadBalancer = corev1.LoadBalancerStatus{} // what it had as one is no more
		}
	default:
		if kind.StatusWriter != schemas.StatusNone {
			copyStatus(out, current)
		}
	}
	return out
}

// same drops a part that is of an earlier object of the same name.
func same(desired, part schemas.Object) schemas.Object {
	if isNil(part) || part.GetUID() != desired.GetUID() {
		return nil
	}
	return part
}

func as[T schemas.Object](o schemas.Object) T {
	t, _ := o.(T) // nil for a part that is not there or of another type
	return t
}

func joinPod(pod, assigned, observed, current *corev1.Pod) {
	pod.Status = corev1.PodStatus{}
	if observed != nil {
		pod.Status = observed.Status
	}
	s := &pod.Status
	if assigned != nil {
		if assigned.Spec.NodeName != "" {
			pod.Spec.NodeName = assigned.Spec.NodeName
			placed := corev1.PodCondition{Type: corev1.PodScheduled, Status: corev1.ConditionTrue}
			s.Conditions = overlay([]corev1.PodCondition{placed}, s.Conditions, podConditionType)
		}
		if assigned.Status.NominatedNodeName != "" {
			s.NominatedNodeName = assigned.Status.NominatedNodeName
		}
		s.Conditions = overlay(s.Conditions, scheduled(assigned.Status.Conditions), podConditionType)
	}
	if current != nil {
		s.Conditions = overlay(s.Conditions, current.Status.Conditions, podConditionType)
		if current.Status.Phase != "" {
			s.Phase, s.Reason, s.Message = current.Status.Phase, current.Status.Reason, current.Status.Message
		}
	}
	s.Conditions = gated(pod.Spec.ReadinessGates, s.Conditions)
	if s.Phase == "" {
		s.Phase = corev1.PodPending
	}
	if s.QOSClass == "" {
		s.QOSClass = amount.QOS(&pod.Spec)
	}
}

// scheduled keeps the condition that the scheduler owns.
func scheduled(conditions []corev1.PodCondition) []corev1.PodCondition {
	for i := range conditions {
		if conditions[i].Type == corev1.PodScheduled {
			return conditions[i : i+1]
		}
	}
	return nil
}

func joinNode(node, observed, current *corev1.Node) {
	node.Status = corev1.NodeStatus{}
	if observed != nil {
		node.Status = observed.Status
	}
	if current != nil {
		node.Status.Conditions = overlay(node.Status.Conditions, current.Status.Conditions, nodeConditionType)
	}
}

// namespacePhase is a namespace's phase until the controller has said so.
func namespacePhase(ns *corev1.Namespace) corev1.NamespacePhase {
	if ns.DeletionTimestamp != nil {
		return corev1.NamespaceTerminating
	}
	return corev1.NamespaceActive
}

func podConditionType(c corev1.PodCondition) string   { return string(c.Type) }
func nodeConditionType(c corev1.NodeCondition) string { return string(c.Type) }

// overlay returns base with the conditions of over in place of those of the same
// type, and the others of over after it. base is not changed.
func overlay[C any](base, over []C, typeOf func(C) string) []C {
	if len(over) == 0 {
		return base
	}
	out := make([]C, len(base), len(base)+len(over))
	copy(out, base)
	for _, c := range over { // they are few: a map of them would cost more than looking
		i := slices.IndexFunc(out, func(o C) bool { return typeOf(o) == typeOf(c) })
		if i < 0 {
			out = append(out, c)
		} else {
			out[i] = c
		}
	}
	return out
}
