package kinds

import (
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/column"
	"github.com/skerry/skerry/schemas/defaults"
	"github.com/skerry/skerry/schemas/validate"
)

func role() *schemas.Kind {
	return entry[rbacv1.Role](&schemas.Kind{
		Resource: schemas.Roles, Version: "v1", Kind: "Role", Singular: "role",
		Namespaced: true,
		Validate:   validate.Role, ValidateUpdate: validate.RoleUpdate,
		Columns:    column.Role(),
		Revisioned: true,
	})
}

func clusterRole() *schemas.Kind {
	return entry[rbacv1.ClusterRole](&schemas.Kind{
		Resource: schemas.ClusterRoles, Version: "v1", Kind: "ClusterRole", Singular: "clusterrole",
		Validate: validate.ClusterRole, ValidateUpdate: validate.ClusterRoleUpdate,
		Columns:    column.Role(),
		Revisioned: true,
	})
}

func roleBinding() *schemas.Kind {
	return entry[rbacv1.RoleBinding](&schemas.Kind{
		Resource: schemas.RoleBindings, Version: "v1", Kind: "RoleBinding", Singular: "rolebinding",
		Namespaced: true,
		Default:    defaults.RoleBinding,
		Validate:   validate.RoleBinding, ValidateUpdate: validate.RoleBindingUpdate,
		Columns:    column.RoleBinding(),
		Revisioned: true,
	})
}

func clusterRoleBinding() *schemas.Kind {
	return entry[rbacv1.ClusterRoleBinding](&schemas.Kind{
		Resource: schemas.ClusterRoleBindings, Version: "v1", Kind: "ClusterRoleBinding", Singular: "clusterrolebinding",
		Default:  defaults.ClusterRoleBinding,
		Validate: validate.ClusterRoleBinding, ValidateUpdate: validate.ClusterRoleBindingUpdate,
		Columns:    column.ClusterRoleBinding(),
		Revisioned: true,
	})
}

// reviews are questions about access: the answer to a create is all there is of them.
func reviews() []*schemas.Kind {
	return []*schemas.Kind{
		review[authorizationv1.SubjectAccessReview](schemas.SubjectAccessReviews, "SubjectAccessReview", false),
		review[authorizationv1.LocalSubjectAccessReview](schemas.LocalSubjectAccessReviews, "LocalSubjectAccessReview", true),
		review[authorizationv1.SelfSubjectAccessReview](schemas.SelfSubjectAccessReviews, "SelfSubjectAccessReview", false),
		review[authorizationv1.SelfSubjectRulesReview](schemas.SelfSubjectRulesReviews, "SelfSubjectRulesReview", false),
		review[authenticationv1.TokenReview](schemas.TokenReviews, "TokenReview", false),
		review[authenticationv1.SelfSubjectReview](schemas.SelfSubjectReviews, "SelfSubjectReview", false),
	}
}

func review[T any, P interface {
	*T
	schemas.Object
}](r schemas.Resource, kind string, namespaced bool) *schemas.Kind {
	return entry[T, P](&schemas.Kind{
		Resource: r, Version: "v1", Kind: kind, Singular: r.Plural[:len(r.Plural)-1],
		Namespaced: namespaced,
		Validate:   validate.Review, ValidateUpdate: validate.ReviewUpdate,
		Columns: column.Review(),
		Store:   schemas.StoreNowhere,
	})
}
