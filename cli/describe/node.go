package describe

import (
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

func (p *page) node(n *corev1.Node, pods []*corev1.Pod) {
	p.meta(n)
	p.field(0, "Roles", roles(n))
	p.pairs(0, "Labels", "=", n.Labels)
	p.annotations(n.Annotations)
	p.field(0, "CreationTimestamp", stamp(n.CreationTimestamp))
	var taints []string
	for _, t := range n.Spec.Taints {
		taints = append(taints, t.ToString())
	}
	p.list(0, "Taints", taints)
	p.field(0, "Unschedulable", n.Spec.Unschedulable)
	p.deletion(n)
	p.nodeConditions(n)
	p.line(0, "Addresses:")
	for _, a := range n.Status.Addresses {
		p.field(1, string(a.Type), a.Address)
	}
	p.capacity("Capacity", n.Status.Capacity)
	p.capacity("Allocatable", n.Status.Allocatable)
	p.systemInfo(n)
	if n.Spec.PodCIDR != "" {
		p.field(0, "PodCIDR", n.Spec.PodCIDR)
	}
	p.nonTerminated(n, pods)
}

const roleLabel = "node-role.kubernetes.io/"

func roles(n *corev1.Node) string {
	s := ""
	for _, k := range slices.Sorted(maps.Keys(n.Labels)) {
		if len(k) > len(roleLabel) && k[:len(roleLabel)] == roleLabel {
			if s != "" {
				s += ","
			}
			s += k[len(roleLabel):]
		}
	}
	return s
}

func (p *page) nodeConditions(n *corev1.Node) {
	if len(n.Status.Conditions) == 0 {
		return
	}
	p.line(0, "Conditions:")
	p.line(1, "Type\tStatus\tLastHeartbeatTime\tLastTransitionTime\tReason\tMessage")
	p.line(1, "----\t------\t-----------------\t------------------\t------\t-------")
	for _, c := range n.Status.Conditions {
		p.line(1, "%s \t%s \t%s \t%s \t%s \t%s", c.Type, c.Status, stamp(c.LastHeartbeatTime), stamp(c.LastTransitionTime), c.Reason, c.Message)
	}
}

func (p *page) capacity(key string, r corev1.ResourceList) {
	if len(r) == 0 {
		return
	}
	p.line(0, "%s:", key)
	for _, name := range slices.Sorted(maps.Keys(r)) {
		q := r[name]
		p.field(1, string(name), q.String())
	}
}

func (p *page) systemInfo(n *corev1.Node) {
	i := n.Status.NodeInfo
	p.line(0, "System Info:")
	for _, f := range [][2]string{
		{"Machine ID", i.MachineID}, {"System UUID", i.SystemUUID}, {"Boot ID", i.BootID},
		{"Kernel Version", i.KernelVersion}, {"OS Image", i.OSImage}, {"Operating System", i.OperatingSystem},
		{"Architecture", i.Architecture}, {"Container Runtime Version", i.ContainerRuntimeVersion}, {"Kubelet Version", i.KubeletVersion},
	} {
		p.line(1, "%s:\t%s", f[0], f[1])
	}
}

// nonTerminated lists the pods and what they take of the node.
func (p *page) nonTerminated(n *corev1.Node, pods []*corev1.Pod) {
	p.line(0, "Non-terminated Pods:\t(%d in total)", len(pods))
	requests, limits := corev1.ResourceList{}, corev1.ResourceList{}
	if len(pods) > 0 {
		p.line(1, "Namespace\tName\tCPU Requests\tCPU Limits\tMemory Requests\tMemory Limits\tAge")
		p.line(1, "---------\t----\t------------\t----------\t---------------\t-------------\t---")
	}
	for _, pod := range pods {
		req, lim := podResources(pod)
		p.line(1, "%s\t%s\t%s\t%s\t%s\t%s\t%s", pod.Namespace, pod.Name,
			share(n, req, corev1.ResourceCPU), share(n, lim, corev1.ResourceCPU),
			share(n, req, corev1.ResourceMemory), share(n, lim, corev1.ResourceMemory), p.age(pod.CreationTimestamp))
		add(requests, req)
		add(limits, lim)
	}
	p.line(0, "Allocated resources:")
	p.line(1, "Resource\tRequests\tLimits")
	p.line(1, "--------\t--------\t------")
	for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceEphemeralStorage} {
		p.line(1, "%s\t%s\t%s", name, share(n, requests, name), share(n, limits, name))
	}
}

// podResources is what a pod asks for: the sum of its containers, or an init container that
// asks for more.
func podResources(pod *corev1.Pod) (requests, limits corev1.ResourceList) {
	requests, limits = corev1.ResourceList{}, corev1.ResourceList{}
	for _, c := range pod.Spec.Containers {
		add(requests, c.Resources.Requests)
		add(limits, c.Resources.Limits)
	}
	for _, c := range pod.Spec.InitContainers {
		raise(requests, c.Resources.Requests)
		raise(limits, c.Resources.Limits)
	}
	return requests, limits
}

func add(sum, more corev1.ResourceList) {
	for name, q := range more {
		s := sum[name]
		s.Add(q)
		sum[name] = s
	}
}

func raise(sum, other corev1.ResourceList) {
	for name, q := range other {
		if s, ok := sum[name]; !ok || q.Cmp(s) > 0 {
			sum[name] = q
		}
	}
}

// share renders "100m (5%)".
func share(n *corev1.Node, r corev1.ResourceList, name corev1.ResourceName) string {
	q, ok := r[name]
	if !ok {
		q = *resource.NewQuantity(0, resource.DecimalSI)
	}
	all := n.Status.Allocatable[name]
	percent := int64(0)
	if all.MilliValue() > 0 {
		percent = int64(float64(q.MilliValue()) / float64(all.MilliValue()) * 100)
	}
	return fmt.Sprintf("%s (%d%%)", q.String(), percent)
}
