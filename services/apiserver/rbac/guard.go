package rbac

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/component-helpers/auth/rbac/validation"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/apiserver/access"
)

// The verbs that let somebody grant more than they have.
const (
	verbEscalate api.Verb = "escalate"
	verbBind     api.Verb = "bind"
)

// Guard keeps people from granting what they do not have. It implements access.Guard.
type Guard struct {
	Authorizer
	// May answers for every rule of access, not only for roles: a superuser grants anything.
	May access.Authorizer
}

// Admit implements access.Guard.
func (g Guard) Admit(a access.Attributes, obj, old schemas.Object) error {
	switch o := obj.(type) {
	case *rbacv1.Role:
		if was, ok := old.(*rbacv1.Role); ok && equality.Semantic.DeepEqual(o.Rules, was.Rules) {
			return nil
		}
		return g.role(a, schemas.Roles, o.Name, o.Rules)
	case *rbacv1.ClusterRole:
		was, _ := old.(*rbacv1.ClusterRole)
		if was != nil && equality.Semantic.DeepEqual(o.Rules, was.Rules) && equality.Semantic.DeepEqual(o.AggregationRule, was.AggregationRule) {
			return nil
		}
		rules := o.Rules
		if o.AggregationRule != nil {
			// What it will come to hold is not known yet: it could be everything.
			rules = append(slices.Clone(rules), everything()...)
		}
		a.Namespace = ""
		return g.role(a, schemas.ClusterRoles, o.Name, rules)
	case *rbacv1.RoleBinding:
		if was, ok := old.(*rbacv1.RoleBinding); ok && equality.Semantic.DeepEqual(o.Subjects, was.Subjects) && o.RoleRef == was.RoleRef {
			return nil
		}
		return g.binding(a, schemas.RoleBindings, o.Name, o.RoleRef, schemas.Namespace(o.Namespace))
	case *rbacv1.ClusterRoleBinding:
		if was, ok := old.(*rbacv1.ClusterRoleBinding); ok && equality.Semantic.DeepEqual(o.Subjects, was.Subjects) && o.RoleRef == was.RoleRef {
			return nil
		}
		return g.binding(a, schemas.ClusterRoleBindings, o.Name, o.RoleRef, "")
	}
	return nil
}

func (g Guard) role(a access.Attributes, r schemas.Resource, name string, rules []rbacv1.PolicyRule) error {
	if g.may(a, verbEscalate, r, name) || g.all(a) {
		return nil
	}
	return g.covered(a, r, name, rules)
}

func (g Guard) binding(a access.Attributes, r schemas.Resource, name string, role rbacv1.RoleRef, ns schemas.Namespace) error {
	a.Namespace = ns
	of := schemas.ClusterRoles
	if role.Kind == "Role" {
		of = schemas.Roles
	}
	if g.may(a, verbBind, of, role.Name) || g.all(a) {
		return nil
	}
	rules, exists := g.Rules(role, ns)
	if !exists {
		return apierrors.NewNotFound(schema.GroupResource{Group: of.Group, Resource: of.Plural}, role.Name)
	}
	return g.covered(a, r, name, rules)
}

func (g Guard) may(a access.Attributes, v api.Verb, r schemas.Resource, name string) bool {
	ok, _ := g.May.Authorize(access.Attributes{User: a.User, Groups: a.Groups, Verb: v, Resource: r, Namespace: a.Namespace, Name: schemas.Name(name)})
	return ok
}

// all tells whether a's user may do everything, by whatever rule.
func (g Guard) all(a access.Attributes) bool {
	return g.may(a, "*", schemas.Resource{Group: "*", Plural: "*"}, "")
}

func (g Guard) covered(a access.Attributes, r schemas.Resource, name string, rules []rbacv1.PolicyRule) error {
	ok, missing := validation.Covers(g.RulesFor(a), rules)
	if ok {
		return nil
	}
	lines := make([]string, 0, len(missing))
	for _, m := range missing {
		lines = append(lines, compact(m))
	}
	slices.Sort(lines)
	return apierrors.NewForbidden(schema.GroupResource{Group: r.Group, Resource: r.Plural}, name, errors.New(fmt.Sprintf(
		"user %q (groups=%q) is attempting to grant RBAC permissions not currently held:\n%s",
		a.User, a.Groups, strings.Join(slices.Compact(lines), "\n"))))
}

// compact renders a rule as Kubernetes does in its refusals.
func compact(r rbacv1.PolicyRule) string {
	var parts []string
	for _, p := range []struct {
		name   string
		values []string
	}{
		{"APIGroups", r.APIGroups}, {"Resources", r.Resources}, {"NonResourceURLs", r.NonResourceURLs},
		{"ResourceNames", r.ResourceNames}, {"Verbs", r.Verbs},
	} {
		if len(p.values) > 0 {
			parts = append(parts, fmt.Sprintf("%s:%q", p.name, p.values))
		}
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func everything() []rbacv1.PolicyRule {
	all := []string{"*"}
	return []rbacv1.PolicyRule{{Verbs: all, APIGroups: all, Resources: all}, {Verbs: all, NonResourceURLs: all}}
}
