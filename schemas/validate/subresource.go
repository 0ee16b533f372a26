package validate

import (
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	v1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// PodBinding checks the body of pods/binding: a target that is a Node with a name.
func PodBinding(b *v1.Binding) field.ErrorList {
	var errs field.ErrorList
	target := field.NewPath("target")
	if b.Target.Kind != "" && b.Target.Kind != "Node" {
		errs = append(errs, field.NotSupported(target.Child("kind"), b.Target.Kind, []string{"Node", "<empty>"}))
	}
	if b.Target.Name == "" {
		errs = append(errs, field.Required(target.Child("name"), ""))
	}
	return errs
}

// Scale checks the body of the scale subresource.
func Scale(s *autoscalingv1.Scale) field.ErrorList {
	errs := namespaced(s, validation.NameIsDNSSubdomain)
	return append(errs, validation.ValidateNonnegativeField(int64(s.Spec.Replicas), specPath().Child("replicas"))...)
}

// Eviction checks the body of pods/eviction for the pod called name.
func Eviction(e *policyv1.Eviction, name string) field.ErrorList {
	var errs field.ErrorList
	if e.Name != name {
		errs = append(errs, field.Invalid(metaPath().Child("name"), e.Name, "must be the name of the pod that is evicted"))
	}
	if o := e.DeleteOptions; o != nil && o.GracePeriodSeconds != nil {
		errs = append(errs, validation.ValidateNonnegativeField(*o.GracePeriodSeconds, field.NewPath("deleteOptions", "gracePeriodSeconds"))...)
	}
	return errs
}
