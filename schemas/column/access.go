package column

import (
	"strings"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/skerry/skerry/schemas"
)

// Role returns the columns of roles and cluster roles.
func Role() []schemas.Column {
	return []schemas.Column{name(), {Name: "CREATED AT", Value: func(obj schemas.Object, _ time.Time) string {
		return obj.GetCreationTimestamp().UTC().Format(time.RFC3339)
	}}}
}

// RoleBinding returns the columns of role bindings.
func RoleBinding() []schemas.Column {
	return bindings(func(b *rbacv1.RoleBinding) (rbacv1.RoleRef, []rbacv1.Subject) { return b.RoleRef, b.Subjects })
}

// ClusterRoleBinding returns the columns of cluster role bindings.
func ClusterRoleBinding() []schemas.Column {
	return bindings(func(b *rbacv1.ClusterRoleBinding) (rbacv1.RoleRef, []rbacv1.Subject) { return b.RoleRef, b.Subjects })
}

func bindings[T schemas.Object](parts func(T) (rbacv1.RoleRef, []rbacv1.Subject)) []schemas.Column {
	of := func(kind string) func(T, time.Time) string {
		return func(b T, _ time.Time) string {
			_, subjects := parts(b)
			var names []string
			for _, s := range subjects {
				switch {
				case s.Kind != kind:
				case kind == rbacv1.ServiceAccountKind:
					names = append(names, s.Namespace+"/"+s.Name)
				default:
					names = append(names, s.Name)
				}
			}
			return strings.Join(names, ", ")
		}
	}
	return append([]schemas.Column{
		name(),
		column("ROLE", func(b T, _ time.Time) string { r, _ := parts(b); return r.Kind + "/" + r.Name }),
		age(),
	}, wide(
		column("USERS", of(rbacv1.UserKind)),
		column("GROUPS", of(rbacv1.GroupKind)),
		column("SERVICEACCOUNTS", of(rbacv1.ServiceAccountKind)),
	)...)
}

// Review returns the columns of what is only ever answered, never listed.
func Review() []schemas.Column { return []schemas.Column{name(), age()} }
