package disruption

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/schemas"
)

// event is what is told of a budget or of a pod of it.
type event struct {
	about                 schemas.Object
	kind, reason, message string
}

// report is what is to be told of b and its pods; err is why it is not known how many their owners want.
// Reasons and messages are those of Kubernetes' disruption controller.
func report(b *policyv1.PodDisruptionBudget, pods []*corev1.Pod, err error, now time.Time) (out []event) {
	if len(pods) == 0 {
		out = append(out, event{b, corev1.EventTypeNormal, "NoPods", "No matching pods found"})
	}
	if err != nil {
		return append(out, event{b, corev1.EventTypeWarning, "CalculateExpectedPodCountFailed", fmt.Sprintf("Failed to calculate the number of expected pods: %v", err)})
	}
	unowned := false
	for _, p := range pods {
		unowned = unowned || metav1.GetControllerOfNoCopy(p) == nil
		if at, evicted := b.Status.DisruptedPods[p.Name]; evicted && p.DeletionTimestamp == nil && !now.Before(at.Add(patience)) {
			out = append(out, event{p, corev1.EventTypeWarning, "NotDeleted", fmt.Sprintf("Pod was expected by PDB %s/%s to be deleted but it wasn't", b.Namespace, b.Name)})
		}
	}
	if unowned && ownersCount(b) {
		out = append(out, event{b, corev1.EventTypeWarning, "UnmanagedPods", fmt.Sprintf("Pods selected by this PodDisruptionBudget (selector: %v) were found "+
			"to be unmanaged. As a result, the status of the PDB cannot be calculated correctly, which may result in undefined behavior. "+
			"To account for these pods please set \".spec.minAvailable\" field of the PDB to an integer value.", b.Spec.Selector)})
	}
	return out
}
