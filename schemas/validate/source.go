package validate

import (
	"slices"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metavalidation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func emptyDir(p *field.Path, s *v1.EmptyDirVolumeSource) field.ErrorList {
	const mostMode = 0o1777
	errs := when(s.SizeLimit != nil && s.SizeLimit.Sign() < 0,
		field.Forbidden(p.Child("sizeLimit"), "SizeLimit field must be a valid resource quantity"))
	if s.Mode != nil && (*s.Mode < 0 || *s.Mode > mostMode) {
		errs = append(errs, field.Invalid(p.Child("mode"), *s.Mode, "must be a number between 0 and 01777 (octal), both inclusive"))
	}
	return errs
}

func hostPath(p *field.Path, s *v1.HostPathVolumeSource) field.ErrorList {
	return append(
		required(p.Child("path"), s.Path, noBacksteps),
		maybeOneOf(p.Child("type"), s.Type, v1.HostPathUnset, v1.HostPathBlockDev, v1.HostPathCharDev, v1.HostPathDirectory,
			v1.HostPathDirectoryOrCreate, v1.HostPathFile, v1.HostPathFileOrCreate, v1.HostPathSocket)...)
}

func keyPaths(p *field.Path, items []v1.KeyToPath) field.ErrorList {
	var errs field.ErrorList
	for i, k := range items {
		errs = append(errs, keyPath(p.Index(i), &k)...)
	}
	return errs
}

func keyPath(p *field.Path, k *v1.KeyToPath) field.ErrorList {
	return slices.Concat(
		need(p, "key", k.Key),
		required(p.Child("path"), k.Path, unreserved),
		fileMode(p.Child("mode"), k.Mode),
	)
}

func (r *podRules) imageVolume(p *field.Path, s *v1.ImageVolumeSource) field.ErrorList {
	return append(
		when(r.isPod() && s.Reference == "", field.Required(p.Child("reference"), mustBeSet)),
		oneOf(p.Child("pullPolicy"), s.PullPolicy, v1.PullAlways, v1.PullIfNotPresent, v1.PullNever)...)
}

func csi(p *field.Path, s *v1.CSIVolumeSource) field.ErrorList {
	errs := required(p.Child("driver"), s.Driver, driverName)
	if s.NodePublishSecretRef != nil {
		errs = append(errs, required(p.Child("nodePublishSecretRef", "name"), s.NodePublishSecretRef.Name, subdomain)...)
	}
	return errs
}

// ephemeral checks the template of the claim that is made with the pod.
func ephemeral(p *field.Path, s *v1.EphemeralVolumeSource) field.ErrorList {
	p = p.Child("volumeClaimTemplate")
	if s.VolumeClaimTemplate == nil {
		return field.ErrorList{field.Required(p, mustBeSet)}
	}
	meta, claim := &s.VolumeClaimTemplate.ObjectMeta, &s.VolumeClaimTemplate.Spec
	errs := slices.Concat(
		metavalidation.ValidateLabels(meta.Labels, p.Child("metadata", "labels")),
		apivalidation.ValidateAnnotations(meta.Annotations, p.Child("metadata", "annotations")),
		when(meta.Name != "", field.Forbidden(p.Child("metadata", "name"), "cannot be set for an ephemeral volume")),
	)
	p = p.Child("spec")
	errs = append(errs, when(len(claim.AccessModes) == 0, field.Required(p.Child("accessModes"), "at least 1 access mode is required"))...)
	for i, mode := range claim.AccessModes {
		errs = append(errs, oneOf(p.Child("accessModes").Index(i), mode,
			v1.ReadOnlyMany, v1.ReadWriteMany, v1.ReadWriteOnce, v1.ReadWriteOncePod)...)
	}
	alone := len(claim.AccessModes) > 1 && slices.Contains(claim.AccessModes, v1.ReadWriteOncePod)
	errs = append(errs, when(alone, field.Forbidden(p.Child("accessModes"), "may not use ReadWriteOncePod with other access modes"))...)
	if claim.Selector != nil {
		errs = append(errs, selector(p.Child("selector"), claim.Selector)...)
	}
	size, asked := claim.Resources.Requests[v1.ResourceStorage]
	errs = append(errs, storageSize(p.Child("resources", "requests").Key(string(v1.ResourceStorage)), size, asked)...)
	if claim.StorageClassName != nil {
		errs = append(errs, optional(p.Child("storageClassName"), *claim.StorageClassName, subdomain)...)
	}
	return append(errs, maybeOneOf(p.Child("volumeMode"), claim.VolumeMode, v1.PersistentVolumeBlock, v1.PersistentVolumeFilesystem)...)
}

func storageSize(p *field.Path, q resource.Quantity, asked bool) field.ErrorList {
	if !asked {
		return field.ErrorList{field.Required(p, mustBeSet)}
	}
	return when(q.Sign() <= 0, field.Invalid(p, q.String(), mustBePositive))
}
