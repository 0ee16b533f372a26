package apiserver

import (
	"context"
	"errors"
	"maps"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/apiserver/access"
	"github.com/skerry/skerry/services/apiserver/rbac"
)

// anonymous is who asks without saying who they are.
const anonymous = bus.User("system:anonymous")

// verbImpersonate is what somebody needs who wants to be somebody else.
const verbImpersonate = api.Verb("impersonate")

// agents are the connections that may name whom they ask for: gateways authenticate
// users, and who holds the admin's credentials could be anybody anyway.
func agents() map[bus.User]bool {
	return map[bus.User]bool{"system:gateway": true, "admin": true}
}

// act returns a copy of r as the user that it is done for, and by whom it was asked.
// The bus vouches for the first of them; each may name the next only if it is allowed.
func (s *server) act(ctx context.Context, r *api.Request) (*api.Request, []bus.User, error) {
	out := *r
	out.As, out.Impersonate, out.Groups = nil, nil, groupsOf(r.User)
	var by []bus.User
	if r.As != nil {
		if !agents()[r.User] {
			return nil, nil, denied(r.User, "as it does not authenticate users", r.As.User)
		}
		by = append(by, out.User)
		out.User, out.Groups = r.As.User, r.As.Groups
	}
	if r.Impersonate != nil {
		if err := s.mayImpersonate(ctx, &out, r.Impersonate); err != nil {
			return nil, nil, err
		}
		by = append(by, out.User)
		out.User, out.Groups = r.Impersonate.User, append(slices.Clone(r.Impersonate.Groups), implied(r.Impersonate)...)
	}
	if out.User == "" {
		return nil, nil, apierrors.NewUnauthorized("the request names no user")
	}
	return &out, by, nil
}

// mayImpersonate asks for the verb impersonate on all that r's user wants to be.
func (s *server) mayImpersonate(ctx context.Context, r *api.Request, to *api.Identity) error {
	for _, a := range wanted(to) {
		a.User, a.Groups, a.Verb = r.User, r.Groups, verbImpersonate
		if err := s.allow(ctx, a); err != nil {
			return err
		}
	}
	return nil
}

// wanted are the things that somebody must be allowed to impersonate to be to: the user or
// service account, each group, the uid, and each value of each extra.
func wanted(to *api.Identity) []access.Attributes {
	const group = "authentication.k8s.io"
	user := access.Attributes{Resource: schemas.Resource{Plural: "users"}, Name: schemas.Name(to.User)}
	if ns, name, ok := account(to.User); ok {
		user = access.Attributes{Resource: schemas.ServiceAccounts, Namespace: ns, Name: name}
	}
	out := []access.Attributes{user}
	for _, g := range to.Groups {
		out = append(out, access.Attributes{Resource: schemas.Resource{Plural: "groups"}, Name: schemas.Name(g)})
	}
	if to.UID != "" {
		out = append(out, access.Attributes{Resource: schemas.Resource{Group: group, Plural: "uids"}, Name: schemas.Name(to.UID)})
	}
	for _, key := range slices.Sorted(maps.Keys(to.Extra)) {
		for _, value := range to.Extra[key] {
			out = append(out, access.Attributes{Resource: schemas.Resource{Group: group, Plural: "userextras"}, Subresource: key, Name: schemas.Name(value)})
		}
	}
	return out
}

func isAccount(u bus.User) bool {
	_, _, ok := account(u)
	return ok
}

// implied are the groups that everybody of this name is in.
func implied(i *api.Identity) []string {
	switch {
	case i.User == anonymous:
		return []string{rbac.GroupUnauthenticated}
	case isAccount(i.User) && len(i.Groups) == 0:
		return groupsOf(i.User)
	}
	return []string{rbac.GroupAuthenticated}
}

func denied(who bus.User, why string, as bus.User) error {
	return apierrors.NewForbidden(schema.GroupResource{Resource: "users"}, string(as),
		errors.New("user \""+string(who)+"\" cannot act for user \""+string(as)+"\", "+why))
}
