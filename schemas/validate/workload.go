package validate

import (
	"slices"

	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	"k8s.io/apimachinery/pkg/api/validate/content"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/skerry/skerry/schemas"
)

// Workload checks a new Workload.
func Workload(obj schemas.Object) field.ErrorList { return create(obj, newWorkload) }

// WorkloadUpdate checks obj as the next state of old: who controls it and its templates
// stay, except for how many pods a gang needs.
func WorkloadUpdate(obj, old schemas.Object) field.ErrorList {
	return update(obj, old, func(w, old *schedulingv1beta1.Workload) field.ErrorList {
		spec := w.Spec.DeepCopy()
		for i := range spec.PodGroupTemplates {
			for k := range old.Spec.PodGroupTemplates {
				if old.Spec.PodGroupTemplates[k].Name == spec.PodGroupTemplates[i].Name {
					sameCount(&spec.PodGroupTemplates[i].SchedulingPolicy, &old.Spec.PodGroupTemplates[k].SchedulingPolicy)
				}
			}
		}
		if old.Spec.ControllerRef == nil {
			spec.ControllerRef = nil // it may be set once
		}
		return slices.Concat(metaUpdate(w, old), immutable(*spec, old.Spec, specPath()), newWorkload(w))
	})
}

func newWorkload(w *schedulingv1beta1.Workload) field.ErrorList {
	errs, p := namespaced(w, apivalidation.NameIsDNSSubdomain), specPath()
	if ref := w.Spec.ControllerRef; ref != nil {
		at := p.Child("controllerRef")
		segment := func(p *field.Path, value string) field.ErrorList {
			return faults(p, value, content.IsPathSegmentName(value))
		}
		errs = extend(errs, optional(at.Child("apiGroup"), ref.APIGroup, subdomain), required(at.Child("kind"), ref.Kind, segment), required(at.Child("name"), ref.Name, segment))
	}
	plain, composite := len(w.Spec.PodGroupTemplates), len(w.Spec.CompositePodGroupTemplates)
	errs = extend(errs, when(plain == 0 && composite == 0, field.Required(p.Child("podGroupTemplates"), "must have at least one item")),
		when(plain > 0 && composite > 0, field.Invalid(p, "podGroupTemplates, compositePodGroupTemplates", "exactly one of `podGroupTemplates`, `compositePodGroupTemplates` is required")))
	templates, seen := p.Child("podGroupTemplates"), map[string]bool{}
	errs = extend(errs, fewer(templates, plain, schedulingv1beta1.WorkloadMaxPodGroupTemplates))
	for i := range w.Spec.PodGroupTemplates {
		t, at := &w.Spec.PodGroupTemplates[i], templates.Index(i)
		errs = extend(errs, required(at.Child("name"), t.Name, label), when(seen[t.Name], field.Duplicate(at.Child("name"), t.Name)), groupSpec(at, t))
		seen[t.Name] = true
	}
	return errs
}
