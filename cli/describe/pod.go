package describe

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

func (p *page) pod(o *corev1.Pod) {
	p.meta(o)
	if o.Spec.Priority != nil {
		p.field(0, "Priority", *o.Spec.Priority)
	}
	if o.Spec.PriorityClassName != "" {
		p.field(0, "Priority Class Name", o.Spec.PriorityClassName)
	}
	p.field(0, "Service Account", o.Spec.ServiceAccountName)
	node := o.Spec.NodeName
	if node != "" {
		node += "/" + o.Status.HostIP
	}
	p.field(0, "Node", node)
	if o.Status.StartTime != nil {
		p.field(0, "Start Time", stamp(*o.Status.StartTime))
	}
	p.pairs(0, "Labels", "=", o.Labels)
	p.annotations(o.Annotations)
	if o.DeletionTimestamp != nil {
		p.field(0, "Status", fmt.Sprintf("Terminating (lasts %s)", p.age(*o.DeletionTimestamp)))
		if g := o.DeletionGracePeriodSeconds; g != nil {
			p.field(0, "Termination Grace Period", fmt.Sprintf("%ds", *g))
		}
	} else {
		p.field(0, "Status", o.Status.Phase)
	}
	if o.Status.Reason != "" {
		p.field(0, "Reason", o.Status.Reason)
	}
	if o.Status.Message != "" {
		p.field(0, "Message", o.Status.Message)
	}
	p.addresses(o)
	p.controlledBy(o)
	st := o.Status
	p.containers(0, "Init Containers", o.Spec.InitContainers, orEmpty(st.InitContainerStatuses))
	p.containers(0, "Containers", o.Spec.Containers, orEmpty(st.ContainerStatuses))
	p.podConditions(o)
	p.volumes(0, o.Spec.Volumes)
	if st.QOSClass != "" {
		p.field(0, "QoS Class", st.QOSClass)
	}
	p.placement(0, &o.Spec)
}

// orEmpty makes a list that is never nil: nil means a template, which has no statuses.
func orEmpty(s []corev1.ContainerStatus) []corev1.ContainerStatus {
	if s == nil {
		return []corev1.ContainerStatus{}
	}
	return s
}

func (p *page) addresses(o *corev1.Pod) {
	p.line(0, "IP:\t%s", o.Status.PodIP)
	if len(o.Status.PodIPs) == 0 {
		p.field(0, "IPs", "")
		return
	}
	p.line(0, "IPs:")
	for _, ip := range o.Status.PodIPs {
		p.field(1, "IP", ip.IP)
	}
}

func (p *page) podConditions(o *corev1.Pod) {
	if len(o.Status.Conditions) == 0 {
		return
	}
	p.line(0, "Conditions:")
	p.line(1, "Type\tStatus")
	for _, c := range o.Status.Conditions {
		p.line(1, "%s \t%s ", c.Type, c.Status)
	}
}

func (p *page) volumes(level int, volumes []corev1.Volume) {
	if len(volumes) == 0 {
		p.field(level, "Volumes", "")
		return
	}
	p.line(level, "Volumes:")
	for _, v := range volumes {
		p.line(level, " %s:", v.Name)
		p.volume(level+1, v)
	}
}

func (p *page) volume(level int, v corev1.Volume) {
	switch {
	case v.EmptyDir != nil:
		p.field(level, "Type", "EmptyDir (a temporary directory that shares a pod's lifetime)")
		p.line(level, "Medium:\t%s", v.EmptyDir.Medium)
	case v.HostPath != nil:
		p.field(level, "Type", "HostPath (bare host directory volume)")
		p.field(level, "Path", v.HostPath.Path)
	case v.ConfigMap != nil:
		p.field(level, "Type", "ConfigMap (a volume populated by a ConfigMap)")
		p.field(level, "Name", v.ConfigMap.Name)
		p.field(level, "Optional", v.ConfigMap.Optional != nil && *v.ConfigMap.Optional)
	case v.Secret != nil:
		p.field(level, "Type", "Secret (a volume populated by a Secret)")
		p.field(level, "SecretName", v.Secret.SecretName)
		p.field(level, "Optional", v.Secret.Optional != nil && *v.Secret.Optional)
	case v.Projected != nil:
		p.field(level, "Type", "Projected (a volume that contains injected data from multiple sources)")
	case v.DownwardAPI != nil:
		p.field(level, "Type", "DownwardAPI (a volume populated by information about the pod)")
	default:
		p.field(level, "Type", "<unknown>")
	}
}

// placement writes where a pod may run.
func (p *page) placement(level int, spec *corev1.PodSpec) {
	var selectors []string
	for k, v := range spec.NodeSelector {
		selectors = append(selectors, k+"="+v)
	}
	slices.Sort(selectors)
	p.list(level, "Node-Selectors", selectors)
	var tolerations []string
	for _, t := range spec.Tolerations {
		tolerations = append(tolerations, toleration(t))
	}
	p.list(level, "Tolerations", tolerations)
}

func toleration(t corev1.Toleration) string {
	s := t.Key
	if t.Value != "" {
		s += "=" + t.Value
	}
	if t.Effect != "" {
		s += ":" + string(t.Effect)
	}
	if t.Operator == corev1.TolerationOpExists && t.Value == "" {
		if t.Key != "" || t.Effect != "" {
			s += " "
		}
		s += "op=Exists"
	}
	if t.TolerationSeconds != nil {
		s += fmt.Sprintf(" for %ds", *t.TolerationSeconds)
	}
	return s
}
