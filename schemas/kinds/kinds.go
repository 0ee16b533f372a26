// Package kinds is the table of kinds that this binary is built with: each entry ties a
// Go type to its names, defaults, validation and printer columns.
//
// It reads and writes nothing. What always holds: every entry is complete (a test
// checks it), and nothing else in the tree lists the kinds.
package kinds

import (
	"sync"

	"github.com/skerry/skerry/schemas"
)

// Table returns the process' table, which is made of the built-in kinds. Whoever wants others for
// himself alone takes a clone.
func Table() *schemas.Table { return builtIn() }

var builtIn = sync.OnceValue(func() *schemas.Table {
	all := []*schemas.Kind{
		namespace(), node(), pod(), configMap(), secret(), serviceAccount(), event(),
		service(), endpoints(), endpointSlice(),
		deployment(), replicaSet(),
		lease(),
		priorityClass(), podGroup(), workload(), podDisruptionBudget(), runtimeClass(),
		clusterTrustBundle(), podCertificateRequest(), csiDriver(),
		role(), clusterRole(), roleBinding(), clusterRoleBinding(),
	}
	return schemas.NewTable(append(all, reviews()...)...)
})

// entry completes k with the constructor of its Go type.
func entry[T any, P interface {
	*T
	schemas.Object
}](k *schemas.Kind) *schemas.Kind {
	gvk := k.GroupVersionKind()
	k.New = func() schemas.Object {
		obj := P(new(T))
		obj.GetObjectKind().SetGroupVersionKind(gvk)
		return obj
	}
	return k
}
