package defaults

import v1 "k8s.io/api/core/v1"

// pod fills in what holds for pods only, then what holds for every pod spec. A
// template keeps its requests and ports as they were written: they are filled in
// when a pod is made from it.
func pod(p *v1.Pod) {
	for _, c := range workContainers(&p.Spec) {
		requestsFromLimits(&c.Resources)
		if p.Spec.HostNetwork {
			hostPorts(c.Ports)
		}
	}
	podResources(&p.Spec)
	setIfNil(&p.Spec.EnableServiceLinks, v1.DefaultEnableServiceLinks)
	podSpec(&p.Spec)
}

// podSpec fills in the spec of a pod or of a template.
func podSpec(s *v1.PodSpec) {
	setIfZero(&s.DNSPolicy, v1.DNSClusterFirst)
	setIfZero(&s.RestartPolicy, v1.RestartPolicyAlways)
	setIfNil(&s.SecurityContext, v1.PodSecurityContext{})
	setIfNil(&s.TerminationGracePeriodSeconds, v1.DefaultTerminationGracePeriodSeconds)
	setIfZero(&s.SchedulerName, v1.DefaultSchedulerName)
	// serviceAccount is the former name of serviceAccountName.
	setIfZero(&s.ServiceAccountName, s.DeprecatedServiceAccount)
	s.DeprecatedServiceAccount = s.ServiceAccountName
	for i := range s.Volumes {
		volume(&s.Volumes[i])
	}
	for _, c := range allContainers(s) {
		container(c)
	}
	round(s.Overhead)
	if s.Resources != nil {
		round(s.Resources.Limits)
		round(s.Resources.Requests)
	}
}

// workContainers are the init containers and the regular ones, which do the pod's work.
func workContainers(s *v1.PodSpec) []*v1.Container {
	var all []*v1.Container
	for i := range s.InitContainers {
		all = append(all, &s.InitContainers[i])
	}
	for i := range s.Containers {
		all = append(all, &s.Containers[i])
	}
	return all
}

// allContainers adds the ephemeral ones, whose fields are a container's.
func allContainers(s *v1.PodSpec) []*v1.Container {
	all := workContainers(s)
	for i := range s.EphemeralContainers {
		all = append(all, (*v1.Container)(&s.EphemeralContainers[i].EphemeralContainerCommon))
	}
	return all
}

// hostPorts makes each port the host's own: with the host's network there is no other.
func hostPorts(ports []v1.ContainerPort) {
	for i := range ports {
		setIfZero(&ports[i].HostPort, ports[i].ContainerPort)
	}
}
