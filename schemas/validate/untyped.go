package validate

import (
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/skerry/skerry/schemas"
)

// Untyped checks the metadata of a new object of a kind without a Go type.
func Untyped(inNamespace bool) func(schemas.Object) field.ErrorList {
	return func(obj schemas.Object) field.ErrorList {
		if inNamespace {
			return settle(namespaced(obj, apivalidation.NameIsDNSSubdomain))
		}
		return settle(clusterScoped(obj, apivalidation.NameIsDNSSubdomain))
	}
}

// UntypedUpdate checks what an update does to the metadata of one.
func UntypedUpdate(obj, old schemas.Object) field.ErrorList {
	return settle(metaUpdate(obj, old))
}
