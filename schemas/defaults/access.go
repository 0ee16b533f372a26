package defaults

import (
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/skerry/skerry/schemas"
)

// RoleBinding fills in the groups of the role and of the subjects.
func RoleBinding(obj schemas.Object) {
	if b, ok := obj.(*rbacv1.RoleBinding); ok {
		binding(&b.RoleRef, b.Subjects)
	}
}

// ClusterRoleBinding fills in the groups of the role and of the subjects.
func ClusterRoleBinding(obj schemas.Object) {
	if b, ok := obj.(*rbacv1.ClusterRoleBinding); ok {
		binding(&b.RoleRef, b.Subjects)
	}
}

func binding(role *rbacv1.RoleRef, subjects []rbacv1.Subject) {
	setIfZero(&role.APIGroup, rbacv1.GroupName)
	for i := range subjects {
		if s := &subjects[i]; s.Kind == rbacv1.UserKind || s.Kind == rbacv1.GroupKind {
			setIfZero(&s.APIGroup, rbacv1.GroupName)
		}
	}
}
