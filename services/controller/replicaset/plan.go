package replicaset

import (
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/controller/pod"
)

// burst is the most pods that one step creates or deletes.
const burst = 500

// Plan is what brings a ReplicaSet to its size.
type Plan struct {
	Create []*corev1.Pod
	Delete []*corev1.Pod
	// Next is the ordinal after the last created name.
	Next int
	// Status counts the pods as they are; the ReplicaFailure condition is added
	// after applying.
	Status appsv1.ReplicaSetStatus
	// After is when the next pod becomes available by waiting alone; 0 for never.
	After time.Duration
}

// plan decides for rs, whose own pods are mine (of whatever state) and whose
// deployment's pods, itself included, are related. taken tells whether a pod name is
// in use, and from is the ordinal that names are counted from. Nothing passed in is changed.
func plan(rs *appsv1.ReplicaSet, mine, related []*corev1.Pod, taken func(string) bool, from int, now time.Time) Plan {
	p := Plan{Next: from}
	live := active(mine)
	p.count(rs, mine, now)
	if rs.DeletionTimestamp != nil {
		return p
	}
	switch diff := want(rs) - len(live); {
	case diff > 0:
		n := min(diff, burst)
		names, next := names(rs, taken, from, n)
		p.Next = next
		for _, name := range names {
			p.Create = append(p.Create, newPod(rs, name))
		}
	case diff < 0:
		p.Delete = victims(live, related, min(-diff, burst), now)
	}
	return p
}

func want(rs *appsv1.ReplicaSet) int {
	if rs.Spec.Replicas == nil {
		return 1
	}
	return int(*rs.Spec.Replicas)
}

func active(pods []*corev1.Pod) (out []*corev1.Pod) {
	for _, o := range pods {
		if pod.Active(o) {
			out = append(out, o)
		}
	}
	return out
}

// count sets the plan's status to what there is of rs.
func (p *Plan) count(rs *appsv1.ReplicaSet, mine []*corev1.Pod, now time.Time) {
	live := active(mine)
	p.After = 0
	s := appsv1.ReplicaSetStatus{
		Replicas:           int32(len(live)),
		ObservedGeneration: rs.Generation,
		Conditions:         rs.Status.Conditions,
	}
	template := labels.SelectorFromSet(rs.Spec.Template.Labels)
	for _, o := range live {
		if template.Matches(labels.Set(o.Labels)) {
			s.FullyLabeledReplicas++
		}
		if !pod.Ready(o) {
			continue
		}
		s.ReadyReplicas++
		ok, wait := pod.Available(o, rs.Spec.MinReadySeconds, now)
		if ok {
			s.AvailableReplicas++
		} else if wait > 0 && (p.After == 0 || wait < p.After) {
			p.After = wait
		}
	}
	var terminating int32
	for _, o := range mine {
		if o.DeletionTimestamp != nil && !pod.Terminal(o) {
			terminating++
		}
	}
	s.TerminatingReplicas = &terminating
	p.Status = s
}

func newPod(rs *appsv1.ReplicaSet, name string) *corev1.Pod {
	t := rs.Spec.Template.DeepCopy()
	p := &corev1.Pod{Spec: t.Spec}
	p.APIVersion, p.Kind = "v1", "Pod"
	p.Name, p.GenerateName, p.Namespace = name, prefix(rs), rs.Namespace
	p.Labels, p.Annotations, p.Finalizers = t.Labels, t.Annotations, t.Finalizers
	p.OwnerReferences = []metav1.OwnerReference{kind.Ref(rs)}
	return p
}

// withFailure sets or clears the ReplicaFailure condition by what applying gave.
func withFailure(s appsv1.ReplicaSetStatus, reason string, err error, now time.Time) appsv1.ReplicaSetStatus {
	var kept []appsv1.ReplicaSetCondition
	for _, c := range s.Conditions {
		if c.Type != appsv1.ReplicaSetReplicaFailure {
			kept = append(kept, c)
		} else if err != nil {
			return s
		}
	}
	if err != nil {
		kept = append(kept, appsv1.ReplicaSetCondition{Type: appsv1.ReplicaSetReplicaFailure, Status: corev1.ConditionTrue,
			Reason: reason, Message: err.Error(), LastTransitionTime: metav1.NewTime(now)})
	}
	s.Conditions = kept
	return s
}

// Empty tells whether p changes anything about rs.
func (p *Plan) Empty(rs *appsv1.ReplicaSet) bool {
	return len(p.Create) == 0 && len(p.Delete) == 0 && apiequality.Semantic.DeepEqual(p.Status, rs.Status)
}

func podRef(p *corev1.Pod) schemas.Ref { return schemas.RefOf(schemas.Pods, p) }
