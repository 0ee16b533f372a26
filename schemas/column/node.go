package column

import (
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/schemas"
)

// Node returns the columns of nodes.
func Node() []schemas.Column {
	node := func(name string, value func(n *corev1.Node) string) schemas.Column {
		return column(name, func(n *corev1.Node, _ time.Time) string { return value(n) })
	}
	return append([]schemas.Column{
		name(),
		node("STATUS", NodeStatus),
		node("ROLES", roles),
		age(),
		node("VERSION", func(n *corev1.Node) string { return n.Status.NodeInfo.KubeletVersion }),
	}, wide(
		node("INTERNAL-IP", func(n *corev1.Node) string { return address(n, corev1.NodeInternalIP) }),
		node("EXTERNAL-IP", func(n *corev1.Node) string { return address(n, corev1.NodeExternalIP) }),
		node("OS-IMAGE", func(n *corev1.Node) string { return orUnknown(n.Status.NodeInfo.OSImage) }),
		node("KERNEL-VERSION", func(n *corev1.Node) string { return orUnknown(n.Status.NodeInfo.KernelVersion) }),
		node("CONTAINER-RUNTIME", func(n *corev1.Node) string { return orUnknown(n.Status.NodeInfo.ContainerRuntimeVersion) }),
	)...)
}

// NodeStatus is the STATUS column: "Ready", "NotReady,SchedulingDisabled", "Unknown".
func NodeStatus(n *corev1.Node) string {
	status := "Unknown"
	for _, c := range n.Status.Conditions {
		if c.Type != corev1.NodeReady {
			continue
		}
		status = "NotReady"
		if c.Status == corev1.ConditionTrue {
			status = "Ready"
		}
	}
	if n.Spec.Unschedulable {
		status += ",SchedulingDisabled"
	}
	return status
}

// roles lists what the node-role labels name.
func roles(n *corev1.Node) string {
	var names []string
	for label, value := range n.Labels {
		role, isRole := strings.CutPrefix(label, "node-role.kubernetes.io/")
		if label == "kubernetes.io/role" {
			role, isRole = value, true
		}
		if isRole && role != "" {
			names = append(names, role)
		}
	}
	slices.Sort(names)
	return orNone(strings.Join(slices.Compact(names), ","))
}

func address(n *corev1.Node, t corev1.NodeAddressType) string {
	for _, a := range n.Status.Addresses {
		if a.Type == t {
			return a.Address
		}
	}
	return "<none>"
}
