package validate

import (
	v1 "k8s.io/api/core/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/skerry/skerry/schemas"
)

// ServiceAccount checks a new ServiceAccount.
func ServiceAccount(obj schemas.Object) field.ErrorList { return create(obj, newServiceAccount) }

// ServiceAccountUpdate checks obj as the next state of old.
func ServiceAccountUpdate(obj, old schemas.Object) field.ErrorList {
	return update(obj, old, updatedServiceAccount)
}

func newServiceAccount(o *v1.ServiceAccount) field.ErrorList {
	return namespaced(o, apivalidation.ValidateServiceAccountName)
}

func updatedServiceAccount(o, old *v1.ServiceAccount) field.ErrorList {
	return append(metaUpdate(o, old), newServiceAccount(o)...)
}
