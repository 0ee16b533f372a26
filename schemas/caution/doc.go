// Package caution says what of an object is allowed and yet hardly what its author wants:
// labels and annotations that have lost their meaning, ports and variables that hide each
// other, amounts that are no whole bytes.
//
// It reads the object and writes nothing. What always holds: what it says begins with the
// field's path, in Kubernetes' words (its apiserver warns of the same), and a field that
// validation refuses is no concern of it.
package caution

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/skerry/skerry/schemas"
)

// Of returns what there is to say about obj, which takes the place of old; old is nil for a
// new one. Pods are changed by programs, as a rule: nothing is said of those.
func Of(obj, old schemas.Object) []string {
	switch o := obj.(type) {
	case *corev1.Pod:
		if old == nil {
			return append(name(&o.ObjectMeta, "the Pod's hostname"), pod(nil, &o.ObjectMeta, &o.Spec)...)
		}
	case *corev1.Service:
		return service(&o.Spec)
	case *discoveryv1.EndpointSlice:
		return slice(o, old == nil)
	case *appsv1.Deployment:
		return workload(&o.ObjectMeta, &o.Spec.Template, old)
	case *appsv1.ReplicaSet:
		return workload(&o.ObjectMeta, &o.Spec.Template, old)
	}
	return nil
}

func workload(meta *metav1.ObjectMeta, t *corev1.PodTemplateSpec, old schemas.Object) (said []string) {
	switch {
	case old == nil:
		said = name(meta, "Pod names and hostnames")
	case old.GetGeneration() == meta.Generation:
		return nil
	}
	at := field.NewPath("spec", "template")
	said = append(said, pod(at, &t.ObjectMeta, &t.Spec)...)
	// A pod's own has been made 1 by now.
	return append(said, grace(at.Child("spec", "terminationGracePeriodSeconds"), t.Spec.TerminationGracePeriodSeconds)...)
}

// name is said of a name that pods and hosts get, and that cannot be one label of a domain.
func name(meta *metav1.ObjectMeta, what string) []string {
	if msgs := validation.IsDNS1123Label(meta.Name); len(msgs) > 0 {
		return []string{sayf(field.NewPath("metadata", "name"), "this is used in %s, which can result in surprising behavior; a DNS label is recommended: %v", what, msgs)}
	}
	return nil
}
