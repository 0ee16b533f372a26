package signer

import (
	"crypto"
	"crypto/x509"
	"fmt"
	"maps"
	"slices"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// backdated is how long before now a certificate begins: clocks differ. The apiserver allows less
	// than five minutes.
	backdated = 2 * time.Minute
	// longest is the life of a certificate that asks for more.
	longest = 24 * time.Hour
	// reasonContent is the reason to deny a request that says more than which key it is for.
	reasonContent = "UnexpectedContent"
)

// answer is what becomes of a request; all but the condition only if it is issued.
type answer struct {
	condition         metav1.Condition
	key               crypto.PublicKey
	from, refresh, to time.Time
}

// plan says what becomes of r. It is issued to the key of its PKCS#10 request, which proves
// nothing else, for as long as it asks for and a day at most, and to be renewed at half of that.
func plan(r *certificatesv1.PodCertificateRequest, now time.Time) answer {
	denied := func(reason, message string) answer {
		return answer{condition: condition(certificatesv1.PodCertificateRequestConditionTypeDenied, reason, message, now)}
	}
	if unknown := r.Spec.UnverifiedUserAnnotations; len(unknown) > 0 {
		return denied(certificatesv1.PodCertificateRequestConditionInvalidUserConfig,
			fmt.Sprintf("%s knows no annotations, but the request has %q", Name, slices.Sorted(maps.Keys(unknown))))
	}
	csr, err := x509.ParseCertificateRequest(r.Spec.StubPKCS10Request)
	if err != nil {
		return denied(reasonContent, "the PKCS#10 request cannot be read: "+err.Error())
	}
	if len(csr.Subject.Names)+len(csr.Extensions) > 0 {
		return denied(reasonContent, "the PKCS#10 request must be empty: whose the certificate is follows from the pod")
	}
	life := longest
	if n := r.Spec.MaxExpirationSeconds; n != nil {
		life = min(life, time.Duration(*n)*time.Second)
	}
	from := now.Add(-backdated).Truncate(time.Second).UTC()
	return answer{
		condition: condition(certificatesv1.PodCertificateRequestConditionTypeIssued, "Issued", "certificate issued", now),
		key:       csr.PublicKey, from: from, refresh: from.Add(life / 2), to: from.Add(life),
	}
}

func condition(kind, reason, message string, now time.Time) metav1.Condition {
	return metav1.Condition{Type: kind, Status: metav1.ConditionTrue, Reason: reason, Message: message, LastTransitionTime: metav1.NewTime(now.Truncate(time.Second))}
}
