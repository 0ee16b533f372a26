package validate

import (
	"fmt"
	"slices"
	"strings"

	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/skerry/skerry/schemas"
)

// The paths that every kind's rules start from.
func metaPath() *field.Path { return field.NewPath("metadata") }
func specPath() *field.Path { return field.NewPath("spec") }

// create runs rules on obj if it is a T.
func create[T schemas.Object](obj schemas.Object, rules func(T) field.ErrorList) field.ErrorList {
	o, ok := obj.(T)
	if !ok {
		return wrongType[T](obj)
	}
	return settle(rules(o))
}

// update runs rules on obj and old if both are a T.
func update[T schemas.Object](obj, old schemas.Object, rules func(obj, old T) field.ErrorList) field.ErrorList {
	o, ok := obj.(T)
	if !ok {
		return wrongType[T](obj)
	}
	was, ok := old.(T)
	if !ok {
		return wrongType[T](old)
	}
	return settle(rules(o, was))
}

func wrongType[T schemas.Object](got schemas.Object) field.ErrorList {
	var want T
	return field.ErrorList{field.InternalError(nil, fmt.Errorf("validate object: it is a %T, not a %T", got, want))}
}

// settle drops repetitions and orders the faults of one field, which may come from
// ranging over a map; otherwise the order of the fields stays.
func settle(errs field.ErrorList) field.ErrorList {
	var out field.ErrorList
	seen := map[string]bool{}
	for _, e := range errs {
		text := string(e.Type) + e.Error()
		if !seen[text] {
			seen[text] = true
			out = append(out, e)
		}
	}
	for start := 0; start < len(out); {
		end := start + 1
		for end < len(out) && out[end].Field == out[start].Field {
			end++
		}
		slices.SortStableFunc(out[start:end], func(a, b *field.Error) int { return strings.Compare(a.Error(), b.Error()) })
		start = end
	}
	return out
}

// namespaced checks the metadata of a new object of a namespaced kind.
func namespaced(m metav1.Object, name apivalidation.ValidateNameFunc) field.ErrorList {
	return append(apivalidation.ValidateObjectMetaAccessor(m, true, name, metaPath()), finalizers(m)...)
}

// clusterScoped checks the metadata of a new object of a cluster-scoped kind.
func clusterScoped(m metav1.Object, name apivalidation.ValidateNameFunc) field.ErrorList {
	return append(apivalidation.ValidateObjectMetaAccessor(m, false, name, metaPath()), finalizers(m)...)
}

// metaUpdate checks what an update does to the metadata.
func metaUpdate(m, old metav1.Object) field.ErrorList {
	return append(apivalidation.ValidateObjectMetaAccessorUpdate(m, old, metaPath()), finalizers(m)...)
}

// finalizers lets only Kubernetes' own finalizers go without a domain.
func finalizers(m metav1.Object) field.ErrorList {
	var errs field.ErrorList
	for i, f := range m.GetFinalizers() {
		errs = append(errs, bareFinalizer(metaPath().Child("finalizers").Index(i), f)...)
	}
	return errs
}

func bareFinalizer(path *field.Path, name string) field.ErrorList {
	switch {
	case strings.Contains(name, "/"):
	case name == "kubernetes", name == metav1.FinalizerOrphanDependents, name == metav1.FinalizerDeleteDependents:
	default:
		return field.ErrorList{field.Invalid(path, name, "name is neither a standard finalizer name nor is it fully qualified")}
	}
	return nil
}

// immutable reports a field that an update changed.
func immutable(now, old any, path *field.Path) field.ErrorList {
	return apivalidation.ValidateImmutableField(now, old, path)
}
