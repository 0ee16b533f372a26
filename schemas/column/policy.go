package column

import (
	"time"

	policyv1 "k8s.io/api/policy/v1"
	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
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
		column("SCHEDULED", func(g *schedulingv1beta1.PodGroup, _ time.Time) string {
			if c := apimeta.FindStatusCondition(g.Status.Conditions, schedulingv1beta1.PodGroupInitiallyScheduled); c != nil {
				return string(c.Status)
			}
			return "<none>"
		}),
		age(),
	}
}

// Workload returns the columns of workloads.
func Workload() []schemas.Column {
	return []schemas.Column{
		name(),
		column("CONTROLLER", func(w *schedulingv1beta1.Workload, _ time.Time) string {
			if ref := w.Spec.ControllerRef; ref != nil {
				return ref.Kind + "/" + ref.Name
			}
			return "<none>"
		}),
		age(),
	}
}
