package validate

import (
	"slices"
	"strconv"
	"strings"

	v1 "k8s.io/api/core/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metavalidation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/skerry/skerry/schemas"
)

// deletionCost is the annotation that ranks pods when a ReplicaSet shrinks.
const deletionCost = "controller.kubernetes.io/pod-deletion-cost"

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
		podAnnotations(metaPath().Child("annotations"), p.Annotations),
		podSpec(specPath(), &p.Spec, p),
	)
}

// podTemplate checks what pods are made from. Its metadata has no name to check.
func podTemplate(p *field.Path, t *v1.PodTemplateSpec) field.ErrorList {
	meta := p.Child("metadata")
	return slices.Concat(
		metavalidation.ValidateLabels(t.Labels, meta.Child("labels")),
		apivalidation.ValidateAnnotations(t.Annotations, meta.Child("annotations")),
		podAnnotations(meta.Child("annotations"), t.Annotations),
		podSpec(p.Child("spec"), &t.Spec, nil),
		when(len(t.Spec.EphemeralContainers) > 0, field.Forbidden(
			p.Child("spec", "ephemeralContainers"), "ephemeral containers not allowed in pod template")),
	)
}

func podAnnotations(p *field.Path, annotations map[string]string) field.ErrorList {
	cost, ok := annotations[deletionCost]
	if !ok {
		return nil
	}
	_, err := strconv.ParseInt(cost, 10, 32)
	// One way to write each number, so that equal costs are equal strings.
	odd := strings.HasPrefix(cost, "+") || (len(cost) > 1 && cost[0] == '0')
	return when(err != nil || odd, field.Invalid(p.Key(deletionCost), cost, "must be a 32bit integer"))
}
