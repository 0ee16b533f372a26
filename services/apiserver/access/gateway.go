package access

import (
	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
)

// gatewayUser is who gateways are on the bus.
const gatewayUser = bus.User("system:gateway")

// Gateways lets gateways ask whose a token is. Everything else they ask for a user.
type Gateways struct{}

// Authorize implements Authorizer.
func (Gateways) Authorize(a Attributes) (bool, string) {
	reviews := schemas.Resource{Group: "authentication.k8s.io", Plural: "tokenreviews"}
	return a.User == gatewayUser && a.Verb == api.VerbCreate && a.Resource == reviews && a.Subresource == "", ""
}
