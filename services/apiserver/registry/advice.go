package registry

import (
	"strings"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/caution"
	"github.com/skerry/skerry/services/apiserver/admit"
)

// advise is what to say about an object that takes the place of old, nil for a new one.
func (g *Registry) advise(r *api.Request, k *schemas.Kind, obj, old schemas.Object) []string {
	return append(unhonoured(r, k, obj, old), g.counsel(r, obj, old)...)
}

// cautions are what obj, as it was stored, is hardly meant to say. Services are not told: they
// copy what a user was told.
func cautions(r *api.Request, obj, old schemas.Object) []string {
	if strings.HasPrefix(string(r.User), "system:") {
		return nil
	}
	return caution.Of(obj, old)
}

// counsel is what the namespace's labels ask to be said about obj. What the audit is to
// record of it is left with the request.
func (g *Registry) counsel(r *api.Request, obj, old schemas.Object) []string {
	a := admit.Advise(g.State, obj, old)
	r.AuditNote = a.Audit
	return a.Warnings
}
