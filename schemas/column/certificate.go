package column

import (
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/skerry/skerry/schemas"
)

// ClusterTrustBundle returns the columns of trust bundles.
func ClusterTrustBundle() []schemas.Column {
	return []schemas.Column{
		name(),
		column("SIGNERNAME", func(b *certificatesv1.ClusterTrustBundle, _ time.Time) string { return orNone(b.Spec.SignerName) }),
	}
}

// PodCertificateRequest returns the columns of requests for pods' certificates.
func PodCertificateRequest() []schemas.Column {
	type request = certificatesv1.PodCertificateRequest
	columns := []schemas.Column{
		name(),
		column("PODNAME", func(r *request, _ time.Time) string { return r.Spec.PodName }),
		column("SERVICEACCOUNTNAME", func(r *request, _ time.Time) string { return r.Spec.ServiceAccountName }),
		column("NODENAME", func(r *request, _ time.Time) string { return string(r.Spec.NodeName) }),
		column("SIGNERNAME", func(r *request, _ time.Time) string { return r.Spec.SignerName }),
		column("STATE", func(r *request, _ time.Time) string { return requestState(r) }),
	}
	return append(columns, wide(
		column("UNVERIFIEDUSERANNOTATIONS", func(r *request, _ time.Time) string { return labels.FormatLabels(r.Spec.UnverifiedUserAnnotations) }),
	)...)
}

// requestState is the last of the conditions that end a request, of which there is one at most.
func requestState(r *certificatesv1.PodCertificateRequest) string {
	state := "Pending"
	for _, c := range r.Status.Conditions {
		switch c.Type {
		case certificatesv1.PodCertificateRequestConditionTypeIssued, certificatesv1.PodCertificateRequestConditionTypeDenied,
			certificatesv1.PodCertificateRequestConditionTypeFailed:
			state = c.Type
		}
	}
	return state
}
