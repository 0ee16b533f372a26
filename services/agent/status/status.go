// Package status works out a pod's status as a kubelet reports it, and writes
// what changed to the node's own keys.
//
// It writes observed.<node>.> only. What always holds: a pod that has ended stays
// ended; restart counts never go back; a write names the revision it replaces, and
// while the bus is away the newest status waits, one per pod.
package status

import (
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/services/agent/sandbox"
)

// Exit codes of containers that did not give one.
const (
	StartError = 128 // could not be started
	Vanished   = 137 // was removed behind the agent's back while it ran
)

// Unstarted is a container that was made but could not be started.
type Unstarted struct {
	Message string
	At      time.Time
}

// Input is what a status follows from.
type Input struct {
	Pod *v1.Pod
	// Sandbox is nil if there is none.
	Sandbox *sandbox.Pod
	// Last is the status as last computed.
	Last      v1.PodStatus
	Waiting   map[string]v1.ContainerStateWaiting
	Unstarted map[string]Unstarted
	// Ready tells of each running container whether its probes pass; nil: running is ready.
	Ready   map[string]bool
	HostIPs []string
	Now     time.Time
}

// Compute is the pod's status now. Pure.
func Compute(in Input) v1.PodStatus {
	st := v1.PodStatus{
		ObservedGeneration: in.Pod.Generation,
		QOSClass:           QOS(in.Pod),
		StartTime:          in.Last.StartTime,
		Reason:             in.Last.Reason,
		Message:            in.Last.Message,
	}
	if st.StartTime == nil {
		now := metav1.NewTime(in.Now.Truncate(time.Second))
		st.StartTime = &now
	}
	for _, ip := range in.HostIPs {
		st.HostIPs = append(st.HostIPs, v1.HostIP{IP: ip})
	}
	if len(in.HostIPs) > 0 {
		st.HostIP = in.HostIPs[0]
	}
	for _, ip := range podIPs(in) {
		st.PodIPs = append(st.PodIPs, v1.PodIP{IP: ip})
		st.PodIP = st.PodIPs[0].IP
	}
	for i := range in.Pod.Spec.Containers {
		st.ContainerStatuses = append(st.ContainerStatuses, in.container(&in.Pod.Spec.Containers[i]))
	}
	st.Phase = in.phase(st.ContainerStatuses)
	st.Conditions = in.conditions(st)
	return st
}

func podIPs(in Input) []string {
	switch {
	case in.Sandbox == nil || in.Sandbox.Infra.State != sandbox.Running:
		// The last address is still told once the pod has ended.
		var ips []string
		for _, ip := range in.Last.PodIPs {
			ips = append(ips, ip.IP)
		}
		return ips
	case in.Sandbox.HostNetwork:
		return in.HostIPs
	case in.Sandbox.IP != "":
		return []string{in.Sandbox.IP}
	}
	return nil
}

// phase is as the kubelet's, from the states of all containers.
func (in Input) phase(cs []v1.ContainerStatus) v1.PodPhase {
	if p := in.Last.Phase; p == v1.PodSucceeded || p == v1.PodFailed {
		return p
	}
	var running, waiting, stopped, succeeded int
	for i := range cs {
		c := &cs[i]
		t := Ended(c)
		switch {
		case c.State.Running != nil:
			running++
		case t != nil:
			stopped++
			if t.ExitCode == 0 {
				succeeded++
			}
		default:
			waiting++
		}
	}
	policy := in.Pod.Spec.RestartPolicy
	deleted := in.Pod.DeletionTimestamp != nil && running == 0
	switch {
	case deleted && waiting == 0 && stopped == succeeded:
		return v1.PodSucceeded
	case deleted:
		return v1.PodFailed
	case waiting > 0:
		return v1.PodPending
	case running > 0:
		return v1.PodRunning
	case policy == v1.RestartPolicyNever && stopped > succeeded:
		return v1.PodFailed
	case policy != v1.RestartPolicyAlways && policy != "" && stopped == succeeded:
		return v1.PodSucceeded
	}
	return v1.PodRunning
}

// Of finds a container's status by name, or nil.
func Of(st v1.PodStatus, name string) *v1.ContainerStatus {
	for i := range st.ContainerStatuses {
		if st.ContainerStatuses[i].Name == name {
			return &st.ContainerStatuses[i]
		}
	}
	return nil
}

// Newest is the newest run of a container that the runtime has, or nil: an older
// one than was reported last is none, for the newest has vanished.
func Newest(s *sandbox.Pod, last v1.PodStatus, name string) *sandbox.Container {
	if s == nil {
		return nil
	}
	newest := s.Newest(name)
	if l := Of(last, name); newest != nil && l != nil && int32(newest.Attempt) < l.RestartCount {
		return nil
	}
	return newest
}

// Ended is how the newest run of a container ended, nil if it has not.
func Ended(c *v1.ContainerStatus) *v1.ContainerStateTerminated {
	switch {
	case c.State.Terminated != nil:
		return c.State.Terminated
	case c.State.Waiting != nil:
		return c.LastTerminationState.Terminated
	}
	return nil
}
