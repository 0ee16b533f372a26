package validate

import (
	"slices"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/skerry/skerry/schemas"
)

// ConfigMap checks a new ConfigMap.
func ConfigMap(obj schemas.Object) field.ErrorList { return create(obj, newConfigMap) }

// ConfigMapUpdate checks obj as the next state of old.
func ConfigMapUpdate(obj, old schemas.Object) field.ErrorList {
	return update(obj, old, updatedConfigMap)
}

func newConfigMap(cm *v1.ConfigMap) field.ErrorList {
	errs := namespaced(cm, apivalidation.NameIsDNSSubdomain)
	data, binary := field.NewPath("data"), field.NewPath("binaryData")
	size := 0
	for _, key := range keysOf(cm.Data) {
		errs = append(errs, faults(data.Key(key), key, validation.IsConfigMapKey(key))...)
		_, twice := cm.BinaryData[key]
		errs = append(errs, when(twice, field.Invalid(data.Key(key), key, "duplicate of key present in binaryData"))...)
		size += len(cm.Data[key])
	}
	for _, key := range keysOf(cm.BinaryData) {
		errs = append(errs, faults(binary.Key(key), key, validation.IsConfigMapKey(key))...)
		size += len(cm.BinaryData[key])
	}
	return append(errs, when(size > v1.MaxSecretSize, field.TooLong(data, "", v1.MaxSecretSize))...)
}

func updatedConfigMap(cm, old *v1.ConfigMap) field.ErrorList {
	return slices.Concat(
		metaUpdate(cm, old),
		frozen(cm.Immutable, old.Immutable,
			part{"data", cm.Data, old.Data}, part{"binaryData", cm.BinaryData, old.BinaryData}),
		newConfigMap(cm),
	)
}

// part is one field of an object, now and before.
type part struct {
	name     string
	now, old any
}

// frozen checks that an object that was made immutable stays so, and its parts too.
func frozen(now, old *bool, parts ...part) field.ErrorList {
	const detail = "field is immutable when `immutable` is set"
	if old == nil || !*old {
		return nil
	}
	errs := when(now == nil || !*now, field.Forbidden(field.NewPath("immutable"), detail))
	for _, p := range parts {
		changed := !equality.Semantic.DeepEqual(p.now, p.old)
		errs = append(errs, when(changed, field.Forbidden(field.NewPath(p.name), detail))...)
	}
	return errs
}
