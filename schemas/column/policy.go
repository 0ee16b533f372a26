package column

import (
	"time"

	policyv1 "k8s.io/api/policy/v1"
	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/skerry/skerry/schemas"
)

// PodDisruptionBudget returns the columns of pod disruption budgets.
func PodDisruptionBudget() []schemas.Column {
	limit := func(v *intstr.IntOrString) string {
		if v == nil {
			return "N/A"
		}
		return v.String()
	}
	return []schemas.Column{
		name(),
		column("MIN AVAILABLE", func(b *policyv1.PodDisruptionBudget, _ time.Time) string { return limit(b.Spec.MinAvailable) }),
		column("MAX UNAVAILABLE", func(b *policyv1.PodDisruptionBudget, _ time.Time) string { return limit(b.Spec.MaxUnavailable) }),
		column("ALLOWED DISRUPTIONS", func(b *policyv1.PodDisruptionBudget, _ time.Time) string { return number(b.Status.DisruptionsAllowed) }),
		age(),
	}
}

// PodGroup returns the columns of pod groups.
func PodGroup() []schemas.Column {
	return []schemas.Column{
		name(),
		column("POLICY", func(g *schedulingv1beta1.PodGroup, _ time.Time) string {
			if g.Spec.SchedulingPolicy.Gang != nil {
				return "Gang"
			}
			return "Basic"
		}),
		column("MIN COUNT", func(g *schedulingv1beta1.PodGroup, _ time.Time) string {
			if gang := g.Spec.SchedulingPolicy.Gang; gang != nil {
				return number(gang.MinCount)
			}
			return "<none>"
		}),
		age(),
	}
}
