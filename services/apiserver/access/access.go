package access

import (
	"errors"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
)

// Attributes are what a decision is made of.
type Attributes struct {
	User        bus.User
	Groups      []string
	Verb        api.Verb
	Resource    schemas.Resource
	Subresource string
	Namespace   schemas.Namespace
	Name        schemas.Name
	// Path is what is asked for if it is no resource, such as /healthz.
	Path string
	// FieldSelector is a list's, watch's or deletecollection's.
	FieldSelector string
	// Filters are a state request's.
	Filters []string
}

// Of returns the attributes of r.
func Of(r *api.Request) Attributes {
	a := Attributes{User: r.User, Groups: r.Groups, Verb: r.Verb, Resource: r.Resource, Subresource: r.Subresource,
		Namespace: r.Namespace, Name: r.Name, Filters: r.Filters}
	if a.Resource == schemas.Namespaces {
		a.Namespace = schemas.Namespace(a.Name) // a namespace is within itself: its roles are about it too
	}
	if r.Verbless {
		a.Verb = ""
	}
	if r.List != nil {
		a.FieldSelector = r.List.FieldSelector
	}
	return a
}

// Authorizer says whether a request may go on, and if not, optionally why.
type Authorizer interface {
	Authorize(a Attributes) (allowed bool, reason string)
}

// Guard checks what a request would store or delete, after Authorize allowed the request as
// such: Kubernetes' NodeRestriction is one. old is nil for a create, and obj for a deletion.
type Guard interface {
	Admit(a Attributes, obj, old schemas.Object) error
}

// Guards asks each of them.
type Guards []Guard

// Admit implements Guard.
func (gs Guards) Admit(a Attributes, obj, old schemas.Object) error {
	for _, g := range gs {
		if err := g.Admit(a, obj, old); err != nil {
			return err
		}
	}
	return nil
}

// Chain allows what any of its members allows.
type Chain []Authorizer

// Authorize implements Authorizer.
func (c Chain) Authorize(a Attributes) (bool, string) {
	why := ""
	for _, one := range c {
		ok, reason := one.Authorize(a)
		if ok {
			return true, ""
		}
		if reason != "" {
			why = reason
		}
	}
	return false, why
}

// Superusers may do everything.
type Superusers map[bus.User]bool

// Authorize implements Authorizer.
func (s Superusers) Authorize(a Attributes) (bool, string) { return s[a.User], "" }

// GroupMasters may do everything, as in Kubernetes.
const GroupMasters = "system:masters"

// Masters allows everything to the members of GroupMasters.
type Masters struct{}

// Authorize implements Authorizer.
func (Masters) Authorize(a Attributes) (bool, string) {
	return slices.Contains(a.Groups, GroupMasters), ""
}

// Forbidden is the refusal of a.
func Forbidden(a Attributes, reason string) error {
	resource := a.Resource.Plural
	if a.Subresource != "" {
		resource += "/" + a.Subresource
	}
	msg := fmt.Sprintf("User %q cannot %s resource %q in API group %q", a.User, a.Verb, resource, a.Resource.Group)
	if a.Namespace != "" {
		msg += fmt.Sprintf(" in the namespace %q", a.Namespace)
	} else {
		msg += " at the cluster scope"
	}
	if reason != "" {
		msg += ": " + reason
	}
	return apierrors.NewForbidden(schema.GroupResource{Group: a.Resource.Group, Resource: a.Resource.Plural}, string(a.Name), errors.New(msg))
}
