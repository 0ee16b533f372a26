package validate

import (
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// The shortest and longest life of a projected service account token, in seconds.
const (
	shortestToken = 10 * 60
	longestToken  = 1 << 32
)

// projected checks several sources that share one directory: no two may write the
// same file, as far as the manifest tells; of tokens Kubernetes only warns.
func (r *podRules) projected(p *field.Path, s *v1.ProjectedVolumeSource) field.ErrorList {
	errs := append(fileMode(p.Child("defaultMode"), s.DefaultMode), userID(p.Child("defaultUser"), s.DefaultUser)...)
	taken := map[string]bool{}
	claim := func(at *field.Path, file string) {
		if file != "" {
			errs = append(errs, when(taken[file], field.Invalid(at, file, "conflicting duplicate paths"))...)
			taken[file] = true
		}
	}
	items := func(at *field.Path, list []v1.KeyToPath) {
		errs = append(errs, keyPaths(at.Child("items"), list)...)
		for i, k := range list {
			claim(at.Child("items").Index(i).Child("path"), k.Path)
		}
	}
	for i := range s.Sources {
		src, at := &s.Sources[i], p.Child("sources").Index(i)
		if c := src.Secret; c != nil {
			errs = append(errs, need(at.Child("secret"), "name", c.Name)...)
			items(at.Child("secret"), c.Items)
		}
		if c := src.ConfigMap; c != nil {
			errs = append(errs, need(at.Child("configMap"), "name", c.Name)...)
			items(at.Child("configMap"), c.Items)
		}
		if c := src.DownwardAPI; c != nil {
			files := at.Child("downwardAPI", "items")
			errs = append(errs, downwardFiles(files, c.Items)...)
			for j, f := range c.Items {
				claim(files.Index(j).Child("path"), f.Path)
			}
		}
		if c := src.ServiceAccountToken; c != nil {
			errs = append(errs, r.token(at.Child("serviceAccountToken"), c)...)
		}
		if c := src.ClusterTrustBundle; c != nil {
			errs = append(errs, trustBundle(at.Child("clusterTrustBundle"), c)...)
			claim(at.Child("clusterTrustBundle", "path"), c.Path)
		}
		if c := src.PodCertificate; c != nil {
			errs = append(errs, podCertificate(at.Child("podCertificate"), c)...)
			claim(at.Child("podCertificate", "credentialBundlePath"), c.CredentialBundlePath)
			claim(at.Child("podCertificate", "keyPath"), c.KeyPath)
			claim(at.Child("podCertificate", "certificateChainPath"), c.CertificateChainPath)
		}
		errs = append(errs, when(projections(src) > 1, field.Forbidden(at, "may not specify more than 1 volume type per source"))...)
	}
	return errs
}

func projections(s *v1.VolumeProjection) int {
	n := 0
	for _, set := range []bool{s.Secret != nil, s.ConfigMap != nil, s.DownwardAPI != nil,
		s.ServiceAccountToken != nil, s.ClusterTrustBundle != nil, s.PodCertificate != nil} {
		if set {
			n++
		}
	}
	return n
}

func (r *podRules) token(p *field.Path, t *v1.ServiceAccountTokenProjection) field.ErrorList {
	errs := append(required(p.Child("path"), t.Path, unreserved), userID(p.Child("user"), t.User)...)
	orphan := r.isPod() && r.spec.ServiceAccountName == ""
	errs = append(errs, when(orphan, field.Forbidden(p, "must not be specified when serviceAccountName is not set"))...)
	if n := t.ExpirationSeconds; n != nil {
		errs = extend(errs,
			when(*n < shortestToken, field.Invalid(p.Child("expirationSeconds"), *n, "may not specify a duration less than 10 minutes")),
			when(*n > longestToken, field.Invalid(p.Child("expirationSeconds"), *n, "may not specify a duration larger than 2^32 seconds")),
		)
	}
	return errs
}

// downwardFiles checks files that hold a field of the pod or an amount of a container's resource.
func downwardFiles(p *field.Path, files []v1.DownwardAPIVolumeFile) field.ErrorList {
	var errs field.ErrorList
	for i, f := range files {
		at := p.Index(i)
		errs = append(errs, required(at.Child("path"), f.Path, unreserved)...)
		errs = append(errs, fileMode(at.Child("mode"), f.Mode)...)
		switch {
		case f.FieldRef != nil:
			errs = append(errs, fieldRef(at.Child("fieldRef"), f.FieldRef, fileFields)...)
			errs = append(errs, when(f.ResourceFieldRef != nil,
				field.Invalid(at, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously"))...)
		case f.ResourceFieldRef != nil:
			errs = append(errs, need(at.Child("resourceFieldRef"), "containerName", f.ResourceFieldRef.ContainerName)...)
			errs = append(errs, resourceFieldRef(at.Child("resourceFieldRef"), f.ResourceFieldRef)...)
		default:
			errs = append(errs, field.Required(at, "one of fieldRef and resourceFieldRef is required"))
		}
	}
	return errs
}
