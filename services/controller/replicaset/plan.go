package replicaset

import (
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/schemas"
)

// burst is the most pods that one step creates or deletes: one request's worth. With twice as
// many under way others wait three times as long for their answers.
const burst = 500

// Plan is what brings a ReplicaSet to its size.
type Plan struct {
	Create []*corev1.Pod
	Delete []*corev1.Pod
	// Next is the ordinal after the last created name.
	Next int
}

// plan decides for rs, which has n active pods. If that is too many, live are those and
// related the pods of its deployment, itself included. taken tells whether a pod name is
// in use, and from is the ordinal that names are counted from. Nothing passed in is changed.
func plan(rs *appsv1.ReplicaSet, n int, live, related []*corev1.Pod, taken func(string) bool, from int, now time.Time) Plan {
	p := Plan{Next: from}
	if rs.DeletionTimestamp != nil {
		return p
	}
	switch {
	case n < want(rs):
		names, next := names(rs, taken, from, min(want(rs)-n, burst))
		p.Next = next
		for _, name := range names {
			p.Create = append(p.Create, newPod(rs, name))
		}
	case len(live) > want(rs):
		p.Delete = victims(live, related, min(len(live)-want(rs), burst), now)
	}
	return p
}

// names are the pods that p concerns.
func (p *Plan) names() (names []string) {
	for _, o := range slices.Concat(p.Create, p.Delete) {
		names = append(names, o.Name)
	}
	return names
}

func want(rs *appsv1.ReplicaSet) int {
	if rs.Spec.Replicas == nil {
		return 1
	}
	return int(*rs.Spec.Replicas)
}

func newPod(rs *appsv1.ReplicaSet, name string) *corev1.Pod {
	t := &rs.Spec.Template // which its pods share: they are only sent
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

func podRef(p *corev1.Pod) schemas.Ref { return schemas.RefOf(schemas.Pods, p) }
