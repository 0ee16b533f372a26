package validate

import (
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/skerry/skerry/schemas"
)

// ReplicaSet checks a new ReplicaSet.
func ReplicaSet(obj schemas.Object) field.ErrorList { return create(obj, newReplicaSet) }

// ReplicaSetUpdate checks obj as the next state of old.
func ReplicaSetUpdate(obj, old schemas.Object) field.ErrorList {
	return update(obj, old, updatedReplicaSet)
}

func newReplicaSet(rs *appsv1.ReplicaSet) field.ErrorList {
	p := specPath()
	return slices.Concat(
		namespaced(rs, apivalidation.NameIsDNSSubdomain),
		maybeNonNegative(p.Child("replicas"), rs.Spec.Replicas),
		nonNegative(p.Child("minReadySeconds"), rs.Spec.MinReadySeconds),
		podsOf("ReplicaSet", rs.Spec.Selector, &rs.Spec.Template),
	)
}

func updatedReplicaSet(rs, old *appsv1.ReplicaSet) field.ErrorList {
	return slices.Concat(
		metaUpdate(rs, old),
		immutable(rs.Spec.Selector, old.Spec.Selector, specPath().Child("selector")),
		newReplicaSet(rs),
	)
}

// podsOf checks which pods a workload owns and what it makes them from: pods that
// restart for ever, and that it would own.
func podsOf(kind string, s *metav1.LabelSelector, t *v1.PodTemplateSpec) field.ErrorList {
	p, template := specPath().Child("selector"), specPath().Child("template")
	var errs field.ErrorList
	switch {
	case s == nil:
		errs = append(errs, field.Required(p, mustBeSet))
	case len(s.MatchLabels)+len(s.MatchExpressions) == 0:
		errs = append(errs, field.Invalid(p, s, "empty selector is invalid for deployment"))
	default:
		errs = append(errs, selector(p, s)...)
		compiled, err := metav1.LabelSelectorAsSelector(s)
		if err == nil && !compiled.Matches(labels.Set(t.Labels)) {
			errs = append(errs, field.Invalid(template.Child("metadata", "labels"), t.Labels, "`selector` does not match template `labels`"))
		}
	}
	ends := t.Spec.RestartPolicy != "" && t.Spec.RestartPolicy != v1.RestartPolicyAlways
	return extend(errs,
		podTemplate(template, t),
		when(ends, field.NotSupported(template.Child("spec", "restartPolicy"), t.Spec.RestartPolicy,
			[]v1.RestartPolicy{v1.RestartPolicyAlways})),
		when(t.Spec.ActiveDeadlineSeconds != nil, field.Forbidden(template.Child("spec", "activeDeadlineSeconds"),
			fmt.Sprintf("activeDeadlineSeconds in %s is not Supported", kind))),
	)
}
