package kinds

import (
	certificatesv1 "k8s.io/api/certificates/v1"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/column"
	"github.com/skerry/skerry/schemas/defaults"
	"github.com/skerry/skerry/schemas/validate"
)

func clusterTrustBundle() *schemas.Kind {
	return entry[certificatesv1.ClusterTrustBundle](&schemas.Kind{
		Resource: schemas.ClusterTrustBundles, Version: "v1", Kind: "ClusterTrustBundle",
		Singular:       "clustertrustbundle",
		Validate:       validate.ClusterTrustBundle,
		ValidateUpdate: validate.ClusterTrustBundleUpdate,
		Columns:        column.ClusterTrustBundle(),
		Revisioned:     true,
	})
}

// podCertificateRequest has no history: nothing of it can be changed but its status, once.
func podCertificateRequest() *schemas.Kind {
	return entry[certificatesv1.PodCertificateRequest](&schemas.Kind{
		Resource: schemas.PodCertificateRequests, Version: "v1", Kind: "PodCertificateRequest",
		Singular:       "podcertificaterequest",
		Namespaced:     true,
		Default:        defaults.PodCertificateRequest,
		Validate:       validate.PodCertificateRequest,
		ValidateUpdate: validate.PodCertificateRequestUpdate,
		ValidateStatus: validate.PodCertificateRequestStatus,
		Columns:        column.PodCertificateRequest(),
		StatusWriter:   schemas.StatusController,
	})
}
