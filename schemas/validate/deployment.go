package validate

import (
	"math"
	"slices"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/skerry/skerry/schemas"
)

// Deployment checks a new Deployment.
func Deployment(obj schemas.Object) field.ErrorList { return create(obj, newDeployment) }

// DeploymentUpdate checks obj as the next state of old.
func DeploymentUpdate(obj, old schemas.Object) field.ErrorList {
	return update(obj, old, updatedDeployment)
}

func newDeployment(d *appsv1.Deployment) field.ErrorList {
	s, p := &d.Spec, specPath()
	errs := slices.Concat(
		namespaced(d, apivalidation.NameIsDNSSubdomain),
		maybeNonNegative(p.Child("replicas"), s.Replicas),
		podsOf("Deployment", s.Selector, &s.Template),
		strategy(p.Child("strategy"), &s.Strategy),
		nonNegative(p.Child("minReadySeconds"), s.MinReadySeconds),
		maybeNonNegative(p.Child("revisionHistoryLimit"), s.RevisionHistoryLimit),
		maybeNonNegative(p.Child("progressDeadlineSeconds"), s.ProgressDeadlineSeconds),
	)
	if n := s.ProgressDeadlineSeconds; n != nil && *n <= s.MinReadySeconds {
		errs = append(errs, field.Invalid(p.Child("progressDeadlineSeconds"), *n, "must be greater than minReadySeconds"))
	}
	return errs
}

func updatedDeployment(d, old *appsv1.Deployment) field.ErrorList {
	return slices.Concat(
		metaUpdate(d, old),
		immutable(d.Spec.Selector, old.Spec.Selector, specPath().Child("selector")),
		newDeployment(d),
	)
}

func strategy(p *field.Path, s *appsv1.DeploymentStrategy) field.ErrorList {
	rolling := p.Child("rollingUpdate")
	switch s.Type {
	case appsv1.RecreateDeploymentStrategyType:
		return when(s.RollingUpdate != nil, field.Forbidden(rolling, "may not be specified when strategy `type` is 'Recreate'"))
	case appsv1.RollingUpdateDeploymentStrategyType:
		if s.RollingUpdate == nil {
			return field.ErrorList{field.Required(rolling, "this should be defaulted and never be nil")}
		}
		return rollingUpdate(rolling, s.RollingUpdate)
	}
	return oneOf(p.Child("type"), s.Type, appsv1.RecreateDeploymentStrategyType, appsv1.RollingUpdateDeploymentStrategyType)
}

func rollingUpdate(p *field.Path, u *appsv1.RollingUpdateDeployment) field.ErrorList {
	unavailable, surge := p.Child("maxUnavailable"), p.Child("maxSurge")
	errs := append(intOrPercent(unavailable, u.MaxUnavailable), intOrPercent(surge, u.MaxSurge)...)
	// Without room above or below, no pod could ever be replaced.
	stuck := u.MaxUnavailable != nil && u.MaxSurge != nil && isZero(u.MaxUnavailable) && isZero(u.MaxSurge)
	errs = append(errs, when(stuck, field.Invalid(unavailable, u.MaxUnavailable, "may not be 0 when `maxSurge` is 0"))...)
	n, percent := percentage(u.MaxUnavailable)
	return append(errs, when(percent && n > 100,
		field.Invalid(unavailable, u.MaxUnavailable.String(), "must not be greater than 100%"))...)
}

func intOrPercent(p *field.Path, v *intstr.IntOrString) field.ErrorList {
	switch {
	case v == nil:
		return field.ErrorList{field.Required(p, mustBeSet)}
	case v.Type == intstr.String:
		n, _ := percentage(v)
		return append(faults(p, v.StrVal, validation.IsValidPercent(v.StrVal)),
			when(n == math.MaxInt, field.Invalid(p, v.StrVal, "must be a number that is not beyond all bounds"))...)
	default:
		return nonNegative(p, v.IntVal)
	}
}

// percentage returns the number before the percent sign, if v is a percentage;
// math.MaxInt stands for all that is larger.
func percentage(v *intstr.IntOrString) (int, bool) {
	if v == nil || v.Type != intstr.String || len(validation.IsValidPercent(v.StrVal)) > 0 {
		return 0, false
	}
	n, err := strconv.Atoi(strings.TrimSuffix(v.StrVal, "%"))
	if err != nil {
		n = math.MaxInt // digits, but too many of them
	}
	return n, true
}

func isZero(v *intstr.IntOrString) bool {
	if v.Type == intstr.Int {
		return v.IntVal == 0
	}
	n, ok := percentage(v)
	return ok && n == 0
}
