package status

import (
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/join"
)

// conclusion is what is stored under current when a client writes sent: all of it, or
// for pods and nodes, whose status the agent reports, the conditions in which it
// differs from the agent. Nil if nothing is left to store.
func conclusion(kind *schemas.Kind, sent, observed, current schemas.Object) schemas.Object {
	if kind.StatusWriter != schemas.StatusAgent {
		return sent
	}
	switch sent := sent.(type) {
	case *corev1.Pod:
		was, _ := observed.(*corev1.Pod)
		now, _ := current.(*corev1.Pod)
		out := &corev1.Pod{TypeMeta: sent.TypeMeta}
		out.Name, out.Namespace, out.UID = sent.Name, sent.Namespace, sent.UID
		if now != nil {
			out.Status.Phase, out.Status.Reason, out.Status.Message = now.Status.Phase, now.Status.Reason, now.Status.Message
		}
		var reported []corev1.PodCondition
		if was != nil {
			reported = was.Status.Conditions
		}
		out.Status.Conditions = differing(sent.Status.Conditions, reported)
		// Whether a pod is placed is the scheduler's to say.
		out.Status.Conditions = drop(out.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == corev1.PodScheduled || joined(sent, c) })
		if len(out.Status.Conditions) == 0 && out.Status.Phase == "" {
			return nil
		}
		return out
	case *corev1.Node:
		was, _ := observed.(*corev1.Node)
		out := &corev1.Node{TypeMeta: sent.TypeMeta}
		out.Name, out.UID = sent.Name, sent.UID
		var reported []corev1.NodeCondition
		if was != nil {
			reported = was.Status.Conditions
		}
		out.Status.Conditions = differing(sent.Status.Conditions, reported)
		if len(out.Status.Conditions) == 0 {
			return nil
		}
		return out
	}
	return nil
}

// joined tells whether c is the Ready that readers are shown of a pod with readiness gates: a
// client that sends back what it read concludes nothing.
func joined(p *corev1.Pod, c corev1.PodCondition) bool {
	return c.Type == corev1.PodReady && len(p.Spec.ReadinessGates) > 0 &&
		(c.Status == corev1.ConditionTrue || c.Reason == join.GatesNotReady)
}

// differing are the conditions that were not reported just so.
func differing[C any](sent, reported []C) []C {
	return drop(sent, func(c C) bool {
		for _, r := range reported {
			if apiequality.Semantic.DeepEqual(c, r) {
				return true
			}
		}
		return false
	})
}

func drop[C any](list []C, f func(C) bool) (out []C) {
	for _, c := range list {
		if !f(c) {
			out = append(out, c)
		}
	}
	return out
}

func observedKey(ref schemas.Ref, obj schemas.Object) (bus.Key, bool) {
	switch o := obj.(type) {
	case *corev1.Node:
		return bus.ObservedNodeKey(schemas.NodeName(o.Name)), true
	case *corev1.Pod:
		if o.Spec.NodeName != "" {
			return bus.ObservedPodKey(schemas.NodeName(o.Spec.NodeName), ref.Namespace, ref.Name), true
		}
	}
	return "", false
}
