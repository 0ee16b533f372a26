package admit

import (
	"fmt"

	v1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/schemas"
)

// SystemPriorityClasses exist from the start, with Kubernetes' values.
func SystemPriorityClasses() []*schedulingv1.PriorityClass {
	class := func(name string, value int32, description string) *schedulingv1.PriorityClass {
		return &schedulingv1.PriorityClass{ObjectMeta: metav1.ObjectMeta{Name: name}, Value: value, Description: description}
	}
	return []*schedulingv1.PriorityClass{
		class("system-node-critical", 2000001000, "Used for system critical pods that must not be moved from their current node."),
		class("system-cluster-critical", 2000000000, "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary."),
	}
}

// priority resolves p's priority class, or the cluster's default one.
func priority(s State, p *v1.Pod) error {
	value, policy := int32(0), v1.PreemptLowerPriority
	class := globalDefault(s)
	if name := p.Spec.PriorityClassName; name != "" {
		obj, ok := s.Get(schemas.Ref{Resource: schemas.PriorityClasses, Name: schemas.Name(name)})
		if class, _ = obj.(*schedulingv1.PriorityClass); !ok || class == nil {
			return refusePod(p, fmt.Errorf("no PriorityClass with name %v was found", name))
		}
	}
	if class != nil {
		value = class.Value
		p.Spec.PriorityClassName = class.Name
		if class.PreemptionPolicy != nil {
			policy = *class.PreemptionPolicy
		}
	}
	if p.Spec.Priority != nil && *p.Spec.Priority != value {
		return refusePod(p, fmt.Errorf("the integer value of priority (%d) must not be provided in pod spec; priority admission controller computed %d from the given PriorityClass name", *p.Spec.Priority, value))
	}
	if p.Spec.PreemptionPolicy != nil && *p.Spec.PreemptionPolicy != policy {
		return refusePod(p, fmt.Errorf("the string value of PreemptionPolicy (%s) must not be provided in pod spec; priority admission controller computed %s from the given PriorityClass name", *p.Spec.PreemptionPolicy, policy))
	}
	p.Spec.Priority, p.Spec.PreemptionPolicy = &value, &policy
	return nil
}

// globalDefault returns the class of pods that name none: of several, the lowest.
func globalDefault(s State) *schedulingv1.PriorityClass {
	var class *schedulingv1.PriorityClass
	for _, o := range s.List(schemas.PriorityClasses, "") {
		if c, ok := o.(*schedulingv1.PriorityClass); ok && c.GlobalDefault && (class == nil || c.Value < class.Value) {
			class = c
		}
	}
	return class
}

func refusePod(p *v1.Pod, why error) error {
	return apierrors.NewForbidden(v1.Resource("pods"), p.Name, why)
}
