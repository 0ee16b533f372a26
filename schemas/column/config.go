package column

import (
	"strconv"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"

	"github.com/skerry/skerry/schemas"
)

// Namespace returns the columns of namespaces.
func Namespace() []schemas.Column {
	return []schemas.Column{
		name(),
		column("STATUS", func(n *corev1.Namespace, _ time.Time) string { return string(n.Status.Phase) }),
		age(),
	}
}

// ConfigMap returns the columns of config maps.
func ConfigMap() []schemas.Column {
	return []schemas.Column{
		name(),
		column("DATA", func(c *corev1.ConfigMap, _ time.Time) string { return strconv.Itoa(len(c.Data) + len(c.BinaryData)) }),
		age(),
	}
}

// Secret returns the columns of secrets; the data itself is never shown.
func Secret() []schemas.Column {
	return []schemas.Column{
		name(),
		column("TYPE", func(s *corev1.Secret, _ time.Time) string { return string(s.Type) }),
		column("DATA", func(s *corev1.Secret, _ time.Time) string { return strconv.Itoa(len(s.Data)) }),
		age(),
	}
}

// ServiceAccount returns the columns of service accounts. kubectl no longer counts
// their secrets (since 1.35).
func ServiceAccount() []schemas.Column { return []schemas.Column{name(), age()} }

// Lease returns the columns of leases.
func Lease() []schemas.Column {
	return []schemas.Column{
		name(),
		column("HOLDER", func(l *coordinationv1.Lease, _ time.Time) string {
			if l.Spec.HolderIdentity == nil {
				return ""
			}
			return *l.Spec.HolderIdentity
		}),
		age(),
	}
}

// PriorityClass returns the columns of priority classes.
func PriorityClass() []schemas.Column {
	return []schemas.Column{
		name(),
		column("VALUE", func(p *schedulingv1.PriorityClass, _ time.Time) string { return number(p.Value) }),
		column("GLOBAL-DEFAULT", func(p *schedulingv1.PriorityClass, _ time.Time) string { return strconv.FormatBool(p.GlobalDefault) }),
		age(),
		column("PREEMPTIONPOLICY", func(p *schedulingv1.PriorityClass, _ time.Time) string {
			if p.PreemptionPolicy == nil {
				return string(corev1.PreemptLowerPriority)
			}
			return string(*p.PreemptionPolicy)
		}),
	}
}

// RuntimeClass returns the columns of runtime classes.
func RuntimeClass() []schemas.Column {
	return []schemas.Column{
		name(),
		column("HANDLER", func(r *nodev1.RuntimeClass, _ time.Time) string { return r.Handler }),
		age(),
	}
}
