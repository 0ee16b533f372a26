package rbac

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/apiserver/access"
)

// Source is where roles and bindings are read. What it returns is shared.
type Source interface {
	Get(ref schemas.Ref) (schemas.Object, bool)
	List(r schemas.Resource, ns schemas.Namespace) []schemas.Object
}

// Authorizer allows what bound roles allow.
type Authorizer struct{ State Source }

var _ access.Authorizer = Authorizer{}

// Authorize implements access.Authorizer.
func (z Authorizer) Authorize(a access.Attributes) (bool, string) {
	found, missing := false, ""
	z.each(&a, func(role rbacv1.RoleRef, rules []rbacv1.PolicyRule, exists bool) bool {
		if !exists && missing == "" {
			missing = fmt.Sprintf("%s %q not found", strings.ToLower(role.Kind), role.Name)
		}
		for i := range rules {
			if allows(&rules[i], &a) {
				found = true
				return false
			}
		}
		return true
	})
	if missing != "" {
		missing = "RBAC: " + missing
	}
	return found, missing
}

// RulesFor returns all rules that hold for a's user in a's namespace, and for those
// without one in the whole cluster.
func (z Authorizer) RulesFor(a access.Attributes) (out []rbacv1.PolicyRule) {
	z.each(&a, func(_ rbacv1.RoleRef, rules []rbacv1.PolicyRule, _ bool) bool {
		out = append(out, rules...)
		return true
	})
	return out
}

// each calls f with every role that is bound to a's user, until f returns false:
// everywhere, and in a's namespace.
func (z Authorizer) each(a *access.Attributes, f func(role rbacv1.RoleRef, rules []rbacv1.PolicyRule, exists bool) bool) {
	for _, o := range z.State.List(schemas.ClusterRoleBindings, "") {
		b, ok := o.(*rbacv1.ClusterRoleBinding)
		if !ok || !applies(b.Subjects, a, "") {
			continue
		}
		if rules, exists := z.Rules(b.RoleRef, ""); !f(b.RoleRef, rules, exists) {
			return
		}
	}
	if a.Namespace == "" {
		return
	}
	for _, o := range z.State.List(schemas.RoleBindings, a.Namespace) {
		b, ok := o.(*rbacv1.RoleBinding)
		if !ok || !applies(b.Subjects, a, b.Namespace) {
			continue
		}
		if rules, exists := z.Rules(b.RoleRef, a.Namespace); !f(b.RoleRef, rules, exists) {
			return
		}
	}
}

// Rules are those of the role that a binding in ns refers to.
func (z Authorizer) Rules(role rbacv1.RoleRef, ns schemas.Namespace) ([]rbacv1.PolicyRule, bool) {
	ref := schemas.Ref{Resource: schemas.ClusterRoles, Name: schemas.Name(role.Name)}
	if role.Kind == "Role" {
		ref.Resource, ref.Namespace = schemas.Roles, ns
	}
	o, ok := z.State.Get(ref)
	if !ok {
		return nil, false
	}
	switch r := o.(type) {
	case *rbacv1.Role:
		return r.Rules, true
	case *rbacv1.ClusterRole:
		return r.Rules, true
	}
	return nil, false
}

// applies tells whether a's user is one of the subjects of a binding in ns.
func applies(subjects []rbacv1.Subject, a *access.Attributes, ns string) bool {
	return slices.ContainsFunc(subjects, func(s rbacv1.Subject) bool {
		switch s.Kind {
		case rbacv1.UserKind:
			return s.Name == string(a.User)
		case rbacv1.GroupKind:
			return slices.Contains(a.Groups, s.Name)
		case rbacv1.ServiceAccountKind:
			// Of this subject alone: the next one may name none.
			of := cmp.Or(s.Namespace, ns)
			return of != "" && string(a.User) == "system:serviceaccount:"+of+":"+s.Name
		}
		return false
	})
}
