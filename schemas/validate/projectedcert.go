package validate

import (
	"fmt"
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// trustBundle checks a file with the trust anchors of one bundle, or of a signer's.
func trustBundle(p *field.Path, c *v1.ClusterTrustBundleProjection) field.ErrorList {
	errs := append(required(p.Child("path"), c.Path, unreserved), userID(p.Child("user"), c.User)...)
	switch {
	case c.Name != nil && c.SignerName != nil:
		errs = append(errs, field.Invalid(p, *c.Name, "only one of name and signerName may be used"))
	case c.Name != nil:
		at, name := p.Child("name"), *c.Name
		errs = append(errs, when(name == "", field.Required(at, "must be a valid object name"))...)
		for _, why := range bundleName(signerOf(name))(name, false) {
			errs = append(errs, field.Invalid(at, name, "not a valid clustertrustbundlename: "+why))
		}
		errs = append(errs, when(c.LabelSelector != nil,
			field.Invalid(p.Child("labelSelector"), name, "labelSelector must be unset if name is specified"))...)
	case c.SignerName != nil:
		at := p.Child("signerName")
		errs = append(errs, when(*c.SignerName == "", field.Required(at, "must be a valid signer name"))...)
		errs = append(errs, signerName(at, *c.SignerName)...)
		errs = append(errs, selector(p.Child("labelSelector"), c.LabelSelector)...)
	default:
		errs = append(errs, field.Required(p, "either name or signerName must be specified"))
	}
	return errs
}

// The shortest and longest life that a certificate may be asked for, in seconds: an hour
// and 91 days; a day from signers of Kubernetes.
const (
	shortestCertificate   = 60 * 60
	longestCertificate    = 91 * 24 * 60 * 60
	longestKubernetesCert = 24 * 60 * 60
)

func longestLife(signer string) int32 {
	if kubernetesSigner(signer) {
		return longestKubernetesCert
	}
	return longestCertificate
}

// podCertificate checks a key and certificate that the agent is to get for the pod.
func podCertificate(p *field.Path, c *v1.PodCertificateProjection) field.ErrorList {
	none := c.CredentialBundlePath == "" && c.KeyPath == "" && c.CertificateChainPath == ""
	errs := slices.Concat(
		signerName(p.Child("signerName"), c.SignerName),
		userAnnotations(p.Child("userAnnotations"), c.UserAnnotations),
		userID(p.Child("user"), c.User),
		keyType(p.Child("keyType"), c.KeyType),
		when(none, field.Required(p, "specify at least one of credentialBundlePath, keyPath, and certificateChainPath")),
		optional(p.Child("credentialBundlePath"), c.CredentialBundlePath, unreserved),
		optional(p.Child("keyPath"), c.KeyPath, unreserved),
		optional(p.Child("certificateChainPath"), c.CertificateChainPath, unreserved),
	)
	if n := c.MaxExpirationSeconds; n != nil {
		at, most := p.Child("maxExpirationSeconds"), longestLife(c.SignerName)
		errs = extend(errs,
			when(*n < shortestCertificate, field.Invalid(at, *n, "if provided, maxExpirationSeconds must be >= 3600")),
			when(*n > most, field.Invalid(at, *n, fmt.Sprintf("if provided, maxExpirationSeconds must be <= %d", most))),
		)
	}
	return errs
}

func keyType(p *field.Path, t string) field.ErrorList {
	known := []string{"RSA3072", "RSA4096", "ECDSAP256", "ECDSAP384", "ECDSAP521", "ED25519"}
	return when(!slices.Contains(known, t), field.NotSupported(p, t, known))
}

// userAnnotations are what a pod's author tells a signer: every key has a domain.
func userAnnotations(p *field.Path, m map[string]string) field.ErrorList {
	var errs field.ErrorList
	for _, k := range keysOf(m) {
		errs = append(errs, validation.IsDomainPrefixedKey(p, strings.ToLower(k))...)
	}
	return append(errs, when(apivalidation.ValidateAnnotationsSize(m) != nil, field.TooLong(p, "", apivalidation.TotalAnnotationSizeLimitB))...)
}
