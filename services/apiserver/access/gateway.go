package access

import (
	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
)

// gatewayUser is who gateways are on the bus.
const gatewayUser = bus.User("system:gateway")

// podSigner is the signer of certificates that pods show to the API. The gateways have its key.
const podSigner = "kubernetes.io/kube-apiserver-client-pod"

// Gateways lets gateways ask whose a token is and whether a certificate's pod is still there,
// and sign such certificates. Everything else they ask for a user.
type Gateways struct{}

// Authorize implements Authorizer.
func (Gateways) Authorize(a Attributes) (bool, string) {
	return a.User == gatewayUser && gatewayMay(a), ""
}

func gatewayMay(a Attributes) bool {
	main := a.Subresource == ""
	switch a.Resource {
	case schemas.TokenReviews:
		return main && a.Verb == api.VerbCreate
	case schemas.Pods, schemas.ServiceAccounts, schemas.Namespaces:
		return main && a.Verb == api.VerbGet
	case schemas.PodCertificateRequests:
		switch a.Verb {
		case api.VerbGet:
			return main
		case api.VerbList, api.VerbWatch:
			return main && selects(a.FieldSelector, "spec.signerName", podSigner)
		}
		return a.Subresource == "status" && a.Verb == api.VerbUpdate
	case schemas.Signers:
		return a.Verb == verbSign && a.Name == podSigner
	}
	return false
}
