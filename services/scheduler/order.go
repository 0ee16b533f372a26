package scheduler

import (
	"encoding/json"
	"fmt"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/bus/view"
	"github.com/skerry/skerry/schemas"
)

// step is what is to be done about one pod: writes, or placing it.
type step struct {
	ops []store.Op
	// place is the desired pod if it needs a node, gated if it must wait for its gates.
	place, gated *v1.Pod
}

// verdict is why a pod is on no node.
type verdict struct {
	reason, message string
	// nominated is where it will be once others have left.
	nominated schemas.NodeName
}

// planOrder compares a pod's desired state with its work order. Pure.
//
//	desired   assigned     → step
//	none      any            delete the work order
//	pod       other uid      delete it; the next turn goes on
//	pod       on a node      make the work order equal to the pod
//	nodeName  none           a work order for that node
//	pod       none           place it, unless it is going or gated or not ours
//
// One scheduler of several, the default one, keeps the work orders of all pods; the
// others only make those of their own.
func planOrder(ref schemas.Ref, parts view.Parts, schedulerName string, keeps bool) (step, error) {
	a := parts.Assigned
	hasOrder := a.Revision != 0 && !a.Deleted
	drop := step{ops: []store.Op{{Key: a.Key, Revision: a.Revision}}}
	if parts.Desired.Revision == 0 || parts.Desired.Deleted {
		if hasOrder && keeps {
			return drop, nil
		}
		return step{}, nil
	}
	pod, ok := parts.Objects.Desired.(*v1.Pod)
	if !ok {
		return step{}, fmt.Errorf("decode desired %s: it is a %T", ref, parts.Objects.Desired)
	}
	var node schemas.NodeName
	if hasOrder {
		order, ok := parts.Objects.Assigned.(*v1.Pod)
		if !ok || order.UID != pod.UID {
			if keeps {
				return drop, nil
			}
			return step{}, nil
		}
		node = schemas.NodeName(order.Spec.NodeName)
	}
	ours := pod.Spec.SchedulerName == schedulerName
	switch {
	case node == "" && pod.Spec.NodeName != "" && keeps:
		return step{ops: assign(pod, schemas.NodeName(pod.Spec.NodeName), a)}, nil
	case node == "" && (pod.Spec.NodeName != "" || pod.DeletionTimestamp != nil || !ours):
		return step{}, nil
	case node == "" && len(pod.Spec.SchedulingGates) > 0:
		return step{gated: pod}, nil
	case node == "":
		return step{place: pod}, nil
	case !keeps:
		return step{}, nil
	}
	want := encodeOrder(pod, node)
	if view.DigestOf(want) == parts.Order {
		return step{}, nil
	}
	return step{ops: []store.Op{{Key: a.Key, Value: want, Revision: a.Revision}}}, nil
}

// assign returns the batch that gives pod to node: the verdict goes, the order comes.
func assign(pod *v1.Pod, node schemas.NodeName, verdict store.Entry) []store.Op {
	var ops []store.Op
	if verdict.Revision != 0 && !verdict.Deleted {
		ops = append(ops, store.Op{Key: verdict.Key, Revision: verdict.Revision})
	}
	key := bus.AssignedKey(node, schemas.Namespace(pod.Namespace), schemas.Name(pod.Name))
	return append(ops, store.Op{Key: key, Value: encodeOrder(pod, node)})
}

// encodeOrder renders a work order: the desired pod with its node, without what an
// agent has no use for.
func encodeOrder(pod *v1.Pod, node schemas.NodeName) []byte {
	order := *pod // what it shares is not changed
	order.ManagedFields = nil
	order.Spec.NodeName = string(node)
	order.Status = v1.PodStatus{}
	b, err := json.Marshal(&order)
	if err != nil {
		panic(fmt.Sprintf("scheduler: a pod does not marshal: %v", err)) // it was JSON a moment ago
	}
	return b
}

// verdictOp returns the write that records why pod fits nowhere, and false if the
// verdict on record says the same.
func verdictOp(pod *v1.Pod, was store.Entry, v verdict, now metav1.Time) (store.Op, bool) {
	cond := v1.PodCondition{
		Type: v1.PodScheduled, Status: v1.ConditionFalse, Reason: v.reason,
		Message: v.message, LastTransitionTime: now, ObservedGeneration: pod.Generation,
	}
	key := bus.AssignedKey("", schemas.Namespace(pod.Namespace), schemas.Name(pod.Name))
	op := store.Op{Key: key}
	if was.Value != nil && !was.Deleted {
		op.Revision = was.Revision
		var old v1.Pod
		if json.Unmarshal(was.Value, &old) == nil && old.UID == pod.UID && len(old.Status.Conditions) == 1 {
			c := old.Status.Conditions[0]
			if c.Message == v.message && c.Reason == v.reason && old.Status.NominatedNodeName == string(v.nominated) {
				return op, false
			}
			cond.LastTransitionTime = c.LastTransitionTime
		}
	}
	out := v1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Name: pod.Name, Namespace: pod.Namespace, UID: pod.UID},
		Status:     v1.PodStatus{Phase: v1.PodPending, Conditions: []v1.PodCondition{cond}, NominatedNodeName: string(v.nominated)},
	}
	b, err := json.Marshal(out)
	if err != nil {
		panic(fmt.Sprintf("scheduler: a verdict does not marshal: %v", err))
	}
	op.Value = b
	return op, true
}
