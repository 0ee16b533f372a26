package validate

import (
	"slices"

	policyv1 "k8s.io/api/policy/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/skerry/skerry/schemas"
)

// PodDisruptionBudget checks a new PodDisruptionBudget.
func PodDisruptionBudget(obj schemas.Object) field.ErrorList { return create(obj, newBudget) }

// PodDisruptionBudgetUpdate checks obj as the next state of old.
func PodDisruptionBudgetUpdate(obj, old schemas.Object) field.ErrorList {
	return update(obj, old, func(b, old *policyv1.PodDisruptionBudget) field.ErrorList {
		return slices.Concat(metaUpdate(b, old), newBudget(b))
	})
}

func newBudget(b *policyv1.PodDisruptionBudget) field.ErrorList {
	p, s := specPath(), &b.Spec
	errs := namespaced(b, apivalidation.NameIsDNSSubdomain)
	errs = append(errs, when(s.MinAvailable != nil && s.MaxUnavailable != nil,
		field.Invalid(p, s, "minAvailable and maxUnavailable cannot be both set"))...)
	errs = extend(errs, share(p.Child("minAvailable"), s.MinAvailable), share(p.Child("maxUnavailable"), s.MaxUnavailable))
	if s.Selector != nil {
		errs = append(errs, selector(p.Child("selector"), s.Selector)...)
	}
	return append(errs, maybeOneOf(p.Child("unhealthyPodEvictionPolicy"), s.UnhealthyPodEvictionPolicy, policyv1.IfHealthyBudget, policyv1.AlwaysAllow)...)
}

// share is a number of pods or up to 100% of them.
func share(p *field.Path, v *intstr.IntOrString) field.ErrorList {
	if v == nil {
		return nil
	}
	if v.Type == intstr.Int {
		return nonNegative(p, v.IntVal)
	}
	errs := faults(p, v, validation.IsValidPercent(v.StrVal))
	if len(errs) > 0 {
		return errs
	}
	percent, err := intstr.GetScaledValueFromIntOrPercent(v, 100, false)
	return when(err != nil || percent > 100, field.Invalid(p, v, "must not be greater than 100%"))
}
