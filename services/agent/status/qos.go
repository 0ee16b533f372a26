package status

import (
	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/schemas/amount"
)

// QOS is the pod's quality-of-service class, which does not change any more once it
// was told.
func QOS(p *v1.Pod) v1.PodQOSClass {
	if p.Status.QOSClass != "" {
		return p.Status.QOSClass
	}
	return amount.QOS(&p.Spec)
}
