package validate

import (
	"slices"

	nodev1 "k8s.io/api/node/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metavalidation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/skerry/skerry/schemas"
)

// RuntimeClass checks a new RuntimeClass.
func RuntimeClass(obj schemas.Object) field.ErrorList { return create(obj, newRuntimeClass) }

// RuntimeClassUpdate checks obj as the next state of old.
func RuntimeClassUpdate(obj, old schemas.Object) field.ErrorList {
	return update(obj, old, updatedRuntimeClass)
}

func newRuntimeClass(rc *nodev1.RuntimeClass) field.ErrorList {
	handler := field.NewPath("handler")
	errs := slices.Concat(
		clusterScoped(rc, apivalidation.NameIsDNSSubdomain),
		faults(handler, rc.Handler, apivalidation.NameIsDNSLabel(rc.Handler, false)),
	)
	if rc.Overhead != nil {
		errs = append(errs, overhead(field.NewPath("overhead", "podFixed"), rc.Overhead.PodFixed)...)
	}
	if s := rc.Scheduling; s != nil {
		p := field.NewPath("scheduling")
		errs = extend(errs,
			metavalidation.ValidateLabels(s.NodeSelector, p.Child("nodeSelector")),
			tolerations(p.Child("tolerations"), s.Tolerations),
		)
	}
	return errs
}

func updatedRuntimeClass(rc, old *nodev1.RuntimeClass) field.ErrorList {
	return slices.Concat(
		metaUpdate(rc, old),
		immutable(rc.Handler, old.Handler, field.NewPath("handler")),
	)
}
