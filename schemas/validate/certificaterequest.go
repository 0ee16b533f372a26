package validate

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"slices"

	certificatesv1 "k8s.io/api/certificates/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/skerry/skerry/schemas"
)

const (
	// longestProof is the most bytes of a PKCS#10 request.
	longestProof = 10 << 10
	longestUID   = 128
)

// PodCertificateRequest checks a new PodCertificateRequest.
func PodCertificateRequest(obj schemas.Object) field.ErrorList {
	return create(obj, newCertificateRequest)
}

// PodCertificateRequestUpdate checks obj as the next state of old.
func PodCertificateRequestUpdate(obj, old schemas.Object) field.ErrorList {
	return update(obj, old, func(r, old *certificatesv1.PodCertificateRequest) field.ErrorList {
		return append(metaUpdate(r, old), immutable(r.Spec, old.Spec, specPath())...)
	})
}

func newCertificateRequest(r *certificatesv1.PodCertificateRequest) field.ErrorList {
	s, p := &r.Spec, specPath()
	errs := slices.Concat(
		namespaced(r, apivalidation.NameIsDNSSubdomain),
		signerName(p.Child("signerName"), s.SignerName),
		userAnnotations(p.Child("unverifiedUserAnnotations"), s.UnverifiedUserAnnotations),
		faults(p.Child("podName"), s.PodName, apivalidation.NameIsDNSSubdomain(s.PodName, false)),
		uid(p.Child("podUID"), s.PodUID),
		faults(p.Child("serviceAccountName"), s.ServiceAccountName, apivalidation.ValidateServiceAccountName(s.ServiceAccountName, false)),
		uid(p.Child("serviceAccountUID"), s.ServiceAccountUID),
		faults(p.Child("nodeName"), s.NodeName, apivalidation.NameIsDNSSubdomain(string(s.NodeName), false)),
		uid(p.Child("nodeUID"), s.NodeUID),
	)
	life := p.Child("maxExpirationSeconds")
	if s.MaxExpirationSeconds == nil {
		return append(errs, field.Required(life, "must be set"))
	}
	if n, most := *s.MaxExpirationSeconds, longestLife(s.SignerName); n < shortestCertificate || n > most {
		errs = append(errs, field.Invalid(life, n, fmt.Sprintf("must be in the range [%d, %d]", shortestCertificate, most)))
	}
	return append(errs, proof(p, s.StubPKCS10Request)...)
}

func uid(p *field.Path, value types.UID) field.ErrorList {
	return append(when(value == "", field.Invalid(p, value, "must not be empty")),
		when(len(value) > longestUID, field.TooLong(p, value, longestUID))...)
}

// proof checks that who asks has the private key of the public one that they want certified. What
// else the request says is the signer's to judge.
func proof(spec *field.Path, der []byte) field.ErrorList {
	p := spec.Child("stubPKCS10Request")
	fault := func(value any, why string) field.ErrorList { return field.ErrorList{field.Invalid(p, value, why)} }
	switch {
	case len(der) == 0:
		return field.ErrorList{field.Invalid(spec, field.OmitValueType{}, "exactly one of (stubPKCS10Request) or (pkixPublicKey, proofOfPossession) must be set")}
	case len(der) > longestProof:
		return field.ErrorList{field.TooLong(p, der, longestProof)}
	}
	r, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return fault(field.OmitValueType{}, "must be a valid PKCS#10 CSR")
	}
	switch key := r.PublicKey.(type) {
	case ed25519.PublicKey:
	case *ecdsa.PublicKey:
		if key.Curve != elliptic.P256() && key.Curve != elliptic.P384() && key.Curve != elliptic.P521() {
			return fault("curve "+key.Curve.Params().Name, "elliptic public keys must use curve P256, P384, or P521")
		}
	case *rsa.PublicKey:
		if bits := key.Size() * 8; bits != 3072 && bits != 4096 {
			return fault(fmt.Sprintf("%d-bit modulus", bits), "RSA keys must have modulus size 3072 or 4096")
		}
	default:
		return fault(field.OmitValueType{}, "unknown public key type; supported types are Ed25519, ECDSA, and RSA")
	}
	if r.CheckSignature() != nil {
		return fault(field.OmitValueType{}, "invalid signature")
	}
	return nil
}
