package node

import (
	"fmt"

	v1 "k8s.io/api/core/v1"
)

// event is what is told of a node.
type event struct{ kind, reason, message string }

// happened is what a Node, as it is heard of now, tells of the time since it was was; nil for the first time
// in this process' life, whose host booted as boot. The reasons and messages are the kubelet's.
func happened(was, now *v1.Node, boot string) (out []event) {
	tell := func(kind, reason, message string) { out = append(out, event{kind, reason, message}) }
	if was == nil {
		tell(v1.EventTypeNormal, "Starting", "Starting kubelet.")
		if before := now.Status.NodeInfo.BootID; before != "" && boot != "" && before != boot {
			tell(v1.EventTypeWarning, "Rebooted", fmt.Sprintf("Node %s has been rebooted, boot id: %s", now.Name, boot))
		}
	}
	if closed := was != nil && was.Spec.Unschedulable; closed != now.Spec.Unschedulable {
		reason := "NodeSchedulable"
		if now.Spec.Unschedulable {
			reason = "NodeNotSchedulable"
		}
		tell(v1.EventTypeNormal, reason, fmt.Sprintf("Node %s status is now: %s", now.Name, reason))
	}
	return out
}
