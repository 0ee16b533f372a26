package validate

import (
	"slices"
	"strings"

	coordinationv1 "k8s.io/api/coordination/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/skerry/skerry/schemas"
)

// Lease checks a new Lease.
func Lease(obj schemas.Object) field.ErrorList { return create(obj, newLease) }

// LeaseUpdate checks obj as the next state of old.
func LeaseUpdate(obj, old schemas.Object) field.ErrorList { return update(obj, old, updatedLease) }

func newLease(l *coordinationv1.Lease) field.ErrorList {
	errs := namespaced(l, apivalidation.NameIsDNSSubdomain)
	s := &l.Spec
	if n := s.LeaseDurationSeconds; n != nil && *n <= 0 {
		errs = append(errs, field.Invalid(specPath().Child("leaseDurationSeconds"), *n, "must be greater than 0"))
	}
	if n := s.LeaseTransitions; n != nil && *n < 0 {
		errs = append(errs, field.Invalid(specPath().Child("leaseTransitions"), *n, "must be greater than or equal to 0"))
	}
	strategy := coordinationv1.CoordinatedLeaseStrategy("")
	if s.Strategy != nil {
		strategy = *s.Strategy
		errs = append(errs, leaseStrategy(specPath().Child("strategy"), strategy)...)
	}
	preferred := s.PreferredHolder != nil && *s.PreferredHolder != "" && strategy == ""
	return append(errs, when(preferred,
		field.Forbidden(specPath().Child("preferredHolder"), "may only be specified if `strategy` is defined"))...)
}

// leaseStrategy is Kubernetes' own, or someone's with their domain before it.
func leaseStrategy(p *field.Path, s coordinationv1.CoordinatedLeaseStrategy) field.ErrorList {
	if strings.Contains(string(s), "/") {
		return qualified(p, string(s))
	}
	return oneOf(p, s, coordinationv1.OldestEmulationVersion)
}

func updatedLease(l, old *coordinationv1.Lease) field.ErrorList {
	return slices.Concat(metaUpdate(l, old), newLease(l))
}
