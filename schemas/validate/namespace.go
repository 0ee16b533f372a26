package validate

import (
	v1 "k8s.io/api/core/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/skerry/skerry/schemas"
)

// Namespace checks a new Namespace.
func Namespace(obj schemas.Object) field.ErrorList { return create(obj, newNamespace) }

// NamespaceUpdate checks obj as the next state of old.
func NamespaceUpdate(obj, old schemas.Object) field.ErrorList {
	return update(obj, old, updatedNamespace)
}

func newNamespace(ns *v1.Namespace) field.ErrorList {
	errs := clusterScoped(ns, apivalidation.ValidateNamespaceName)
	for i, f := range ns.Spec.Finalizers {
		p := specPath().Child("finalizers").Index(i)
		errs = extend(errs, qualified(p, string(f)), bareFinalizer(p, string(f)))
	}
	return errs
}

func updatedNamespace(ns, old *v1.Namespace) field.ErrorList {
	return append(metaUpdate(ns, old), newNamespace(ns)...)
}
