package apiserver

import (
	"errors"
	"slices"
	"strings"

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
func (s *server) act(r *api.Request) (*api.Request, []bus.User, error) {
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
		if err := s.mayImpersonate(&out, r.Impersonate); err != nil {
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

// mayImpersonate asks for the verb impersonate on the user and each of the groups.
func (s *server) mayImpersonate(r *api.Request, to *api.Identity) error {
	ask := func(resource schemas.Resource, name string) error {
		a := access.Attributes{User: r.User, Groups: r.Groups, Verb: verbImpersonate, Resource: resource, Name: schemas.Name(name)}
		if ok, why := s.access.Authorize(a); !ok {
			return access.Forbidden(a, why)
		}
		return nil
	}
	if err := ask(schemas.Resource{Plural: "users"}, string(to.User)); err != nil {
		return err
	}
	for _, g := range to.Groups {
		if err := ask(schemas.Resource{Plural: "groups"}, g); err != nil {
			return err
		}
	}
	if to.UID != "" {
		if err := ask(schemas.Resource{Group: "authentication.k8s.io", Plural: "uids"}, to.UID); err != nil {
			return err
		}
	}
	for key := range to.Extra {
		if err := ask(schemas.Resource{Group: "authentication.k8s.io", Plural: "userextras/" + key}, ""); err != nil {
			return err
		}
	}
	return nil
}

// implied are the groups that everybody of this name is in.
func implied(i *api.Identity) []string {
	switch {
	case i.User == anonymous:
		return []string{rbac.GroupUnauthenticated}
	case strings.HasPrefix(string(i.User), accountPrefix) && len(i.Groups) == 0:
		return groupsOf(i.User)
	}
	return []string{rbac.GroupAuthenticated}
}

func denied(who bus.User, why string, as bus.User) error {
	return apierrors.NewForbidden(schema.GroupResource{Resource: "users"}, string(as),
		errors.New("user \""+string(who)+"\" cannot act for user \""+string(as)+"\", "+why))
}
