package column

import (
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"

	"github.com/skerry/skerry/schemas"
)

// ClusterTrustBundle returns the columns of trust bundles.
func ClusterTrustBundle() []schemas.Column {
	return []schemas.Column{
		name(),
		column("SIGNERNAME", func(b *certificatesv1.ClusterTrustBundle, _ time.Time) string { return orNone(b.Spec.SignerName) }),
	}
}
