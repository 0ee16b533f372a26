package validate

import (
	"fmt"
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/skerry/skerry/schemas"
)

// Kubernetes keeps the priorities above a thousand million for itself.
const (
	systemClassPrefix    = "system-"
	highestUserPriority  = 1_000_000_000
	clusterCriticalValue = 2 * highestUserPriority
	nodeCriticalValue    = clusterCriticalValue + 1000
)

// PriorityClass checks a new PriorityClass.
func PriorityClass(obj schemas.Object) field.ErrorList { return create(obj, newPriorityClass) }

// PriorityClassUpdate checks obj as the next state of old.
func PriorityClassUpdate(obj, old schemas.Object) field.ErrorList {
	return update(obj, old, updatedPriorityClass)
}

func newPriorityClass(pc *schedulingv1.PriorityClass) field.ErrorList {
	errs := clusterScoped(pc, apivalidation.NameIsDNSSubdomain)
	if strings.HasPrefix(pc.Name, systemClassPrefix) {
		errs = append(errs, when(!systemClass(pc), field.Forbidden(metaPath().Child("name"), fmt.Sprintf(
			"priority class names with '%s' prefix are reserved for system use only", systemClassPrefix)))...)
	} else {
		errs = append(errs, when(pc.Value > highestUserPriority, field.Forbidden(field.NewPath("value"),
			fmt.Sprintf("maximum allowed value of a user defined priority is %d", highestUserPriority)))...)
	}
	return append(errs, preemption(field.NewPath("preemptionPolicy"), pc.PreemptionPolicy)...)
}

// systemClass tells whether pc is one of the two classes that Kubernetes has built in.
func systemClass(pc *schedulingv1.PriorityClass) bool {
	builtIn := map[string]int32{"system-cluster-critical": clusterCriticalValue, "system-node-critical": nodeCriticalValue}
	value, ok := builtIn[pc.Name]
	return ok && pc.Value == value && !pc.GlobalDefault
}

func preemption(p *field.Path, policy *v1.PreemptionPolicy) field.ErrorList {
	if policy == nil {
		return nil
	}
	return oneOf(p, *policy, v1.PreemptLowerPriority, v1.PreemptNever)
}

func updatedPriorityClass(pc, old *schedulingv1.PriorityClass) field.ErrorList {
	changed := pc.Value != old.Value
	return slices.Concat(
		metaUpdate(pc, old),
		when(changed, field.Forbidden(field.NewPath("value"), "may not be changed in an update.")),
		immutable(pc.PreemptionPolicy, old.PreemptionPolicy, field.NewPath("preemptionPolicy")),
		newPriorityClass(pc),
	)
}
