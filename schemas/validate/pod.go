package validate

import (
	"slices"

	v1 "k8s.io/api/core/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metavalidation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/skerry/skerry/schemas"
)

// Pod checks a new Pod.
func Pod(obj schemas.Object) field.ErrorList { return create(obj, newPod) }

// PodUpdate checks obj as the next state of old. Both have to be of the same make:
// either both as stored, or both joined with where the pod was placed.
func PodUpdate(obj, old schemas.Object) field.ErrorList { return update(obj, old, updatedPod) }

func newPod(p *v1.Pod) field.ErrorList {
	gated := p.Spec.NodeName != "" && len(p.Spec.SchedulingGates) > 0
	return slices.Concat(
		wholePod(p),
		when(len(p.Spec.EphemeralContainers) > 0,
			field.Forbidden(specPath().Child("ephemeralContainers"), "cannot be set on create")),
		when(gated, field.Forbidden(specPath().Child("nodeName"), "cannot be set until all schedulingGates have been cleared")),
	)
}

// wholePod holds for new and for changed pods.
func wholePod(p *v1.Pod) field.ErrorList {
	return slices.Concat(
		namespaced(p, apivalidation.NameIsDNSSubdomain),
		podAnnotations(metaPath().Child("annotations"), p.Annotations, &p.Spec),
		podSpec(specPath(), &p.Spec, p),
	)
}

// podTemplate checks what pods are made from. Its metadata has no name to check.
func podTemplate(p *field.Path, t *v1.PodTemplateSpec) field.ErrorList {
	meta := p.Child("metadata")
	return slices.Concat(
		metavalidation.ValidateLabels(t.Labels, meta.Child("labels")),
		apivalidation.ValidateAnnotations(t.Annotations, meta.Child("annotations")),
		podAnnotations(meta.Child("annotations"), t.Annotations, &t.Spec),
		podSpec(p.Child("spec"), &t.Spec, nil),
		when(len(t.Spec.EphemeralContainers) > 0, field.Forbidden(
			p.Child("spec", "ephemeralContainers"), "ephemeral containers not allowed in pod template")),
	)
}
