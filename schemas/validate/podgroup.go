package validate

import (
	"slices"

	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/skerry/skerry/schemas"
)

// PodGroup checks a new PodGroup.
func PodGroup(obj schemas.Object) field.ErrorList { return create(obj, newPodGroup) }

// PodGroupUpdate checks obj as the next state of old: what a group is does not change.
func PodGroupUpdate(obj, old schemas.Object) field.ErrorList {
	return update(obj, old, func(g, old *schedulingv1beta1.PodGroup) field.ErrorList {
		return slices.Concat(metaUpdate(g, old), immutable(g.Spec, old.Spec, specPath()), newPodGroup(g))
	})
}

func newPodGroup(g *schedulingv1beta1.PodGroup) field.ErrorList {
	errs := namespaced(g, apivalidation.NameIsDNSSubdomain)
	p, policy := specPath().Child("schedulingPolicy"), g.Spec.SchedulingPolicy
	switch {
	case policy.Basic == nil && policy.Gang == nil:
		errs = append(errs, field.Required(p, "exactly one of `basic`, `gang` is required"))
	case policy.Basic != nil && policy.Gang != nil:
		errs = append(errs, field.Invalid(p, "basic, gang", "exactly one of `basic`, `gang` is required, but multiple fields are set"))
	case policy.Gang != nil && policy.Gang.MinCount < 1:
		errs = append(errs, field.Invalid(p.Child("gang", "minCount"), policy.Gang.MinCount, mustBePositive))
	}
	if ref := g.Spec.WorkloadRef; ref != nil {
		at := specPath().Child("workloadRef")
		errs = extend(errs, required(at.Child("workloadName"), ref.WorkloadName, subdomain), required(at.Child("templateName"), ref.TemplateName, label))
	}
	return errs
}
