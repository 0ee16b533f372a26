package validate

import (
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/validation/path"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metavalidation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/skerry/skerry/schemas"
)

// roleName: the names of roles may hold what a path's segment can, such as colons.
func roleName(name string, prefix bool) []string {
	if prefix {
		return path.IsValidPathSegmentPrefix(name)
	}
	return path.IsValidPathSegmentName(name)
}

// Role checks a new Role.
func Role(obj schemas.Object) field.ErrorList { return create(obj, newRole) }

// RoleUpdate checks obj as the next state of old.
func RoleUpdate(obj, old schemas.Object) field.ErrorList {
	return update(obj, old, func(r, old *rbacv1.Role) field.ErrorList { return append(metaUpdate(r, old), newRole(r)...) })
}

func newRole(r *rbacv1.Role) field.ErrorList {
	return append(namespaced(r, roleName), rules(field.NewPath("rules"), r.Rules, true)...)
}

// ClusterRole checks a new ClusterRole.
func ClusterRole(obj schemas.Object) field.ErrorList { return create(obj, newClusterRole) }

// ClusterRoleUpdate checks obj as the next state of old.
func ClusterRoleUpdate(obj, old schemas.Object) field.ErrorList {
	return update(obj, old, func(r, old *rbacv1.ClusterRole) field.ErrorList {
		return append(metaUpdate(r, old), newClusterRole(r)...)
	})
}

func newClusterRole(r *rbacv1.ClusterRole) field.ErrorList {
	errs := append(clusterScoped(r, roleName), rules(field.NewPath("rules"), r.Rules, false)...)
	if r.AggregationRule == nil {
		return errs
	}
	p := field.NewPath("aggregationRule", "clusterRoleSelectors")
	errs = append(errs, when(len(r.AggregationRule.ClusterRoleSelectors) == 0, field.Required(p, "at least one clusterRoleSelector required if aggregationRule is non-nil"))...)
	for i := range r.AggregationRule.ClusterRoleSelectors {
		errs = append(errs, metavalidation.ValidateLabelSelector(&r.AggregationRule.ClusterRoleSelectors[i], metavalidation.LabelSelectorValidationOptions{}, p.Index(i))...)
	}
	return errs
}

func rules(p *field.Path, rs []rbacv1.PolicyRule, inNamespace bool) field.ErrorList {
	var errs field.ErrorList
	for i, r := range rs {
		errs = append(errs, rule(p.Index(i), r, inNamespace)...)
	}
	return errs
}

// rule checks one rule: it is about resources, or about paths that are none.
func rule(p *field.Path, r rbacv1.PolicyRule, inNamespace bool) field.ErrorList {
	errs := when(len(r.Verbs) == 0, field.Required(p.Child("verbs"), mustBeSet))
	if len(r.NonResourceURLs) > 0 {
		return slices.Concat(errs,
			when(inNamespace, field.Invalid(p.Child("nonResourceURLs"), r.NonResourceURLs, "namespaced rules cannot apply to non-resource URLs")),
			when(len(r.APIGroups)+len(r.Resources)+len(r.ResourceNames) > 0,
				field.Invalid(p.Child("nonResourceURLs"), r.NonResourceURLs, "rules cannot apply to both regular resources and non-resource URLs")),
		)
	}
	return slices.Concat(errs,
		when(len(r.APIGroups) == 0, field.Required(p.Child("apiGroups"), "resource rules must supply at least one api group")),
		when(len(r.Resources) == 0, field.Required(p.Child("resources"), "resource rules must supply at least one resource")),
	)
}

// RoleBinding checks a new RoleBinding.
func RoleBinding(obj schemas.Object) field.ErrorList { return create(obj, newRoleBinding) }

// RoleBindingUpdate checks obj as the next state of old.
func RoleBindingUpdate(obj, old schemas.Object) field.ErrorList {
	return update(obj, old, func(b, old *rbacv1.RoleBinding) field.ErrorList {
		return slices.Concat(metaUpdate(b, old), fixedRole(b.RoleRef, old.RoleRef), newRoleBinding(b))
	})
}

func newRoleBinding(b *rbacv1.RoleBinding) field.ErrorList {
	return append(namespaced(b, roleName), bound(b, b.RoleRef, b.Subjects, "Role", "ClusterRole")...)
}

// ClusterRoleBinding checks a new ClusterRoleBinding.
func ClusterRoleBinding(obj schemas.Object) field.ErrorList {
	return create(obj, newClusterRoleBinding)
}

// ClusterRoleBindingUpdate checks obj as the next state of old.
func ClusterRoleBindingUpdate(obj, old schemas.Object) field.ErrorList {
	return update(obj, old, func(b, old *rbacv1.ClusterRoleBinding) field.ErrorList {
		return slices.Concat(metaUpdate(b, old), fixedRole(b.RoleRef, old.RoleRef), newClusterRoleBinding(b))
	})
}

func newClusterRoleBinding(b *rbacv1.ClusterRoleBinding) field.ErrorList {
	return append(clusterScoped(b, roleName), bound(b, b.RoleRef, b.Subjects, "ClusterRole")...)
}

// fixedRole: who may change whom a role is given to may not therefore give another.
func fixedRole(now, old rbacv1.RoleRef) field.ErrorList {
	return when(now != old, field.Invalid(field.NewPath("roleRef"), now, "cannot change roleRef"))
}

func bound(b metav1.Object, role rbacv1.RoleRef, subjects []rbacv1.Subject, kinds ...string) field.ErrorList {
	p := field.NewPath("roleRef")
	errs := when(role.APIGroup != rbacv1.GroupName, field.NotSupported(p.Child("apiGroup"), role.APIGroup, []string{rbacv1.GroupName}))
	errs = append(errs, when(!slices.Contains(kinds, role.Kind), field.NotSupported(p.Child("kind"), role.Kind, kinds))...)
	if role.Name == "" {
		errs = append(errs, field.Required(p.Child("name"), mustBeSet))
	} else {
		errs = append(errs, faults(p.Child("name"), role.Name, path.IsValidPathSegmentName(role.Name))...)
	}
	for i, s := range subjects {
		errs = append(errs, subject(field.NewPath("subjects").Index(i), s, b.GetNamespace() != "")...)
	}
	return errs
}

func subject(p *field.Path, s rbacv1.Subject, inNamespace bool) field.ErrorList {
	errs := when(s.Name == "", field.Required(p.Child("name"), mustBeSet))
	group := func(want string) field.ErrorList {
		return when(s.APIGroup != want, field.NotSupported(p.Child("apiGroup"), s.APIGroup, []string{want}))
	}
	switch s.Kind {
	case rbacv1.ServiceAccountKind:
		return slices.Concat(errs, group(""),
			optional(p.Child("name"), s.Name, subdomain),
			when(!inNamespace && s.Namespace == "", field.Required(p.Child("namespace"), mustBeSet)))
	case rbacv1.UserKind, rbacv1.GroupKind:
		return append(errs, group(rbacv1.GroupName)...)
	}
	return append(errs, field.NotSupported(p.Child("kind"), s.Kind, []string{rbacv1.ServiceAccountKind, rbacv1.UserKind, rbacv1.GroupKind}))
}

// Review checks what is only answered: the answer's maker knows what it needs.
func Review(schemas.Object) field.ErrorList { return nil }

// ReviewUpdate is never asked for: reviews are not stored.
func ReviewUpdate(_, _ schemas.Object) field.ErrorList { return nil }
