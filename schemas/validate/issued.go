package validate

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/mail"
	"strings"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metavalidation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/skerry/skerry/schemas"
)

const (
	// longestChain is the most bytes of an issued chain.
	longestChain = 100 << 10
	// skew is how far a certificate's beginning may be from now.
	skew = 5 * time.Minute
	// refreshMargin keeps the time of a renewal away from both ends of a certificate's life.
	refreshMargin = 10 * time.Minute
)

func statusPath() *field.Path { return field.NewPath("status") }

// PodCertificateRequestStatus checks what a signer says of a request: it is issued, denied or
// failed, once and for all.
func PodCertificateRequestStatus(obj, old schemas.Object, now time.Time) field.ErrorList {
	return update(obj, old, func(r, old *certificatesv1.PodCertificateRequest) field.ErrorList { return requestStatus(r, old, now) })
}

func requestStatus(r, old *certificatesv1.PodCertificateRequest, now time.Time) field.ErrorList {
	const issued, denied, failed = certificatesv1.PodCertificateRequestConditionTypeIssued, certificatesv1.PodCertificateRequestConditionTypeDenied,
		certificatesv1.PodCertificateRequestConditionTypeFailed
	if errs := requestConditions(r.Status.Conditions, []string{issued, denied, failed}); len(errs) > 0 {
		return errs // all else depends on them
	}
	unlike := func(want certificatesv1.PodCertificateRequestStatus, why string) field.ErrorList {
		return when(!equality.Semantic.DeepEqual(r.Status, want), field.Invalid(statusPath(), field.OmitValueType{}, why))
	}
	switch {
	case isTrue(old, issued) || isTrue(old, denied) || isTrue(old, failed):
		return unlike(old.Status, "immutable after PodCertificateRequest is issued, denied, or failed")
	case isTrue(r, denied) || isTrue(r, failed):
		return unlike(certificatesv1.PodCertificateRequestStatus{Conditions: r.Status.Conditions},
			"non-condition status fields must be empty when denying or failing the PodCertificateRequest")
	case isTrue(r, issued):
		return issue(r, now)
	}
	return unlike(old.Status, `status is immutable unless transitioning to "Issued", "Denied", or "Failed"`)
}

func isTrue(r *certificatesv1.PodCertificateRequest, condition string) bool {
	for _, c := range r.Status.Conditions {
		if c.Type == condition && c.Status == metav1.ConditionTrue {
			return true
		}
	}
	return false
}

// requestConditions lets there be one of the known conditions, and that be true.
func requestConditions(list []metav1.Condition, known []string) field.ErrorList {
	var errs field.ErrorList
	p := statusPath().Child("conditions")
	ends := 0
	for i, c := range list {
		at := p.Index(i)
		switch c.Type {
		case known[0], known[1], known[2]:
			ends++
			errs = extend(errs,
				when(ends > 1, field.Invalid(at.Child("type"), c.Type, `There may be at most one condition with type "Issued", "Denied", or "Failed"`)),
				when(c.Status != metav1.ConditionTrue, field.NotSupported(at.Child("status"), c.Status, []metav1.ConditionStatus{metav1.ConditionTrue})))
		default:
			errs = append(errs, field.NotSupported(at.Child("type"), c.Type, known))
		}
	}
	return append(errs, metavalidation.ValidateConditions(list, p)...)
}

// issue checks an issued chain against what was asked for.
func issue(r *certificatesv1.PodCertificateRequest, now time.Time) field.ErrorList {
	p, chain := statusPath().Child("certificateChain"), r.Status.CertificateChain
	fault := func(why string) field.ErrorList { return field.ErrorList{field.Invalid(p, chain, why)} }
	if len(chain) > longestChain {
		return field.ErrorList{field.TooLong(p, chain, longestChain)}
	}
	block, rest := pem.Decode([]byte(chain))
	if block == nil {
		return fault("issued certificate chain must contain at least one certificate")
	}
	if block.Type != "CERTIFICATE" {
		return fault("issued certificate chain must consist entirely of CERTIFICATE PEM blocks")
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return fault("leaf certificate does not parse as valid X.509")
	}
	errs := leafNames(p, leaf)
	wanted, err := x509.ParseCertificateRequest(r.Spec.StubPKCS10Request)
	if err != nil {
		return append(errs, field.Invalid(specPath().Child("stubPKCS10Request"), field.OmitValueType{}, "must be a valid PKCS#10 CSR"))
	}
	if key, ok := wanted.PublicKey.(interface{ Equal(crypto.PublicKey) bool }); !ok || !key.Equal(leaf.PublicKey) {
		return append(errs, fault("leaf certificate was not issued to the requested public key")...)
	}
	errs = append(errs, times(r, leaf, now)...)
	if len(errs) > 0 {
		return errs
	}
	for {
		if block, rest = pem.Decode(rest); block == nil {
			return nil
		}
		if block.Type != "CERTIFICATE" {
			return fault("issued certificate chain must consist entirely of CERTIFICATE PEM blocks")
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return fault("intermediate certificate does not parse as valid X.509")
		}
	}
}

func leafNames(p *field.Path, leaf *x509.Certificate) field.ErrorList {
	var errs field.ErrorList
	for _, n := range leaf.DNSNames {
		errs = extend(errs,
			when(n == "", field.Invalid(p, n, "leaf certificate should not contain empty DNSName")),
			when(strings.Contains(n, ".."), field.Invalid(p, n, "leaf certificate's DNSName should not contain '..'")),
			when(strings.HasPrefix(n, ".") || strings.HasSuffix(n, "."), field.Invalid(p, n, "leaf certificate's DNSName should not start or end with '.'")),
		)
	}
	for _, a := range leaf.EmailAddresses {
		_, err := mail.ParseAddress(a)
		errs = append(errs, when(err != nil, field.Invalid(p, a, "leaf certificate should not contain invalid EmailAddress"))...)
	}
	return errs
}

// times checks that the status says when the certificate holds, and that this is as was asked.
func times(r *certificatesv1.PodCertificateRequest, leaf *x509.Certificate, now time.Time) field.ErrorList {
	s, p := &r.Status, statusPath()
	const consistent = "must be present and consistent with the issued certificate"
	var errs field.ErrorList
	errs = extend(errs,
		when(s.NotBefore == nil, field.Required(p.Child("notBefore"), consistent)),
		when(s.NotAfter == nil, field.Required(p.Child("notAfter"), consistent)),
		when(s.BeginRefreshAt == nil, field.Required(p.Child("beginRefreshAt"), "must be present and in the range [notbefore+10min, notafter-10min]")),
	)
	if len(errs) > 0 {
		return errs
	}
	from, to, refresh := s.NotBefore.Time, s.NotAfter.Time, s.BeginRefreshAt.Time
	fault := func(child string, value any, why string) field.ErrorList {
		return field.ErrorList{field.Invalid(p.Child(child), value, why)}
	}
	most := time.Duration(0)
	if r.Spec.MaxExpirationSeconds != nil {
		most = time.Duration(*r.Spec.MaxExpirationSeconds) * time.Second
	}
	switch life := leaf.NotAfter.Sub(leaf.NotBefore); {
	case !from.Equal(leaf.NotBefore):
		return fault("notBefore", from, "must be set to the NotBefore time encoded in the leaf certificate")
	case from.Sub(now).Abs() >= skew:
		return fault("notBefore", from, "must be set to within 5 minutes of kube-apiserver's current time")
	case !to.Equal(leaf.NotAfter):
		return fault("notAfter", to, "must be set to the NotAfter time encoded in the leaf certificate")
	case life < time.Hour:
		return fault("certificateChain", life, "leaf certificate lifetime must be >= 1 hour")
	case life > most:
		return fault("certificateChain", life, fmt.Sprintf("leaf certificate lifetime must be <= spec.maxExpirationSeconds (%d)", int64(most/time.Second)))
	case refresh.Before(from.Add(refreshMargin)):
		return fault("beginRefreshAt", refresh, "must be at least 10 minutes after status.notBefore")
	case refresh.After(to.Add(-refreshMargin)):
		return fault("beginRefreshAt", refresh, "must be at least 10 minutes before status.notAfter")
	}
	return nil
}
