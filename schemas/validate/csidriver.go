package validate

import (
	"slices"
	"strings"

	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/skerry/skerry/schemas"
)

// CSIDriver checks a new CSIDriver.
func CSIDriver(obj schemas.Object) field.ErrorList { return create(obj, newCSIDriver) }

// CSIDriverUpdate checks obj as the next state of old.
func CSIDriverUpdate(obj, old schemas.Object) field.ErrorList {
	return update(obj, old, updatedCSIDriver)
}

func newCSIDriver(d *storagev1.CSIDriver) field.ErrorList {
	errs := clusterScoped(d, func(string, bool) []string { return nil })
	if d.Name != "" {
		errs = append(errs, driverName(field.NewPath("metadata", "name"), d.Name)...)
	}
	return append(errs, csiDriverSpec(specPath(), &d.Spec)...)
}

func updatedCSIDriver(d, old *storagev1.CSIDriver) field.ErrorList {
	return slices.Concat(
		metaUpdate(d, old),
		csiDriverSpec(specPath(), &d.Spec),
		immutable(d.Spec.AttachRequired, old.Spec.AttachRequired, specPath().Child("attachedRequired")),
		immutable(d.Spec.VolumeLifecycleModes, old.Spec.VolumeLifecycleModes, specPath().Child("volumeLifecycleModes")),
	)
}

// driverName checks the name of a storage driver.
func driverName(p *field.Path, name string) field.ErrorList {
	const most = 63
	return append(when(len(name) > most, field.TooLong(p, "", most)), subdomain(p, strings.ToLower(name))...)
}

func csiDriverSpec(p *field.Path, s *storagev1.CSIDriverSpec) field.ErrorList {
	errs := slices.Concat(
		when(s.AttachRequired == nil, field.Required(p.Child("attachedRequired"), mustBeSet)),
		when(s.PodInfoOnMount == nil, field.Required(p.Child("podInfoOnMount"), mustBeSet)),
		when(s.StorageCapacity == nil, field.Required(p.Child("storageCapacity"), mustBeSet)),
		tokenRequests(p.Child("tokenRequests"), s.TokenRequests),
		when(s.SELinuxMount == nil, field.Required(p.Child("seLinuxMount"), mustBeSet)),
		when(s.ServiceAccountTokenInSecrets != nil && len(s.TokenRequests) == 0, field.Invalid(p.Child("serviceAccountTokenInSecrets"), s.ServiceAccountTokenInSecrets,
			"serviceAccountTokenInSecrets is set but no tokenRequests are specified")),
	)
	if s.FSGroupPolicy != nil {
		errs = append(errs, oneOf(p.Child("fsGroupPolicy"), *s.FSGroupPolicy,
			storagev1.ReadWriteOnceWithFSTypeFSGroupPolicy, storagev1.FileFSGroupPolicy, storagev1.NoneFSGroupPolicy)...)
	}
	for _, m := range s.VolumeLifecycleModes {
		errs = append(errs, oneOf(p.Child("volumeLifecycleModes"), m, storagev1.VolumeLifecyclePersistent, storagev1.VolumeLifecycleEphemeral)...)
	}
	if n := s.NodeAllocatableUpdatePeriodSeconds; n != nil {
		errs = append(errs, when(*n < 10, field.Invalid(p.Child("nodeAllocatableUpdatePeriodSeconds"), *n, "must be greater than or equal to 10 seconds"))...)
	}
	return errs
}

func tokenRequests(p *field.Path, requests []storagev1.TokenRequest) field.ErrorList {
	var errs field.ErrorList
	seen := map[string]bool{}
	for i, r := range requests {
		at := p.Index(i)
		if seen[r.Audience] {
			errs = append(errs, field.Duplicate(at.Child("audience"), r.Audience))
			continue
		}
		seen[r.Audience] = true
		if n := r.ExpirationSeconds; n != nil {
			at = at.Child("expirationSeconds")
			errs = extend(errs,
				when(*n < shortestToken, field.Invalid(at, *n, "may not specify a duration less than 10 minutes")),
				when(*n > longestToken, field.Invalid(at, *n, "may not specify a duration larger than 2^32 seconds")),
			)
		}
	}
	return errs
}
