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

	"github.com/skerry/skerry/schemas/amount"
	"github.com/skerry/skerry/services/agent/member"
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

// Health is what hooks and probes say of one run of a container. A run of which nothing is
// said is started and ready.
type Health struct {
	// Starting is true until its postStart hook has returned: it does not count as running yet.
	Starting       bool
	Started, Ready bool
}

// Doomed is why a pod must fail: it was evicted, or its deadline has passed.
type Doomed struct {
	Reason, Message string
	Condition       *v1.PodCondition // nil: none
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
	// Health is what hooks and probes say of running containers, by id.
	Health map[string]Health
	// Messages are the termination messages of containers that have ended, by id.
	Messages map[string]string
	// RestartAll: every container is being restarted.
	RestartAll bool
	// Doomed is why the pod must fail, nil if it need not.
	Doomed  *Doomed
	HostIPs []string
	// Actual are resources of containers, by name, where they are not what Pod says yet, Whole
	// the pod's own, nil if they are; Resizing are the conditions of their change.
	Actual   map[string]v1.ResourceRequirements
	Whole    *v1.ResourceRequirements
	Resizing []v1.PodCondition
	Now      time.Time
}

// Compute is the pod's status now. Pure. Resources in it are those of the input, which nobody
// changes: pods of one template have them in memory once.
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
	if d := in.Doomed; d != nil && st.Reason == "" {
		st.Reason, st.Message = d.Reason, d.Message
	}
	if r := in.Pod.Spec.Resources; r != nil {
		if st.Resources = r; in.Whole != nil {
			st.Resources = in.Whole
		}
		st.AllocatedResources = amount.Requests(&in.Pod.Spec)
	}
	if in.refused() {
		st.Phase = v1.PodFailed
		return st
	}
	for _, c := range member.All(in.Pod) {
		cs := in.container(c)
		switch c.Sort {
		case member.Main:
			st.ContainerStatuses = append(st.ContainerStatuses, cs)
		case member.Ephemeral:
			st.EphemeralContainerStatuses = append(st.EphemeralContainerStatuses, cs)
		default:
			st.InitContainerStatuses = append(st.InitContainerStatuses, cs)
		}
	}
	st.Phase = in.phase(st)
	st.Conditions = in.conditions(st)
	return st
}

// refused tells whether the node did not take the pod: then there is nothing to say of containers.
func (in Input) refused() bool {
	if in.Sandbox != nil {
		return false
	}
	return in.Doomed != nil && in.Last.Phase == "" || in.Last.Phase == v1.PodFailed && len(in.Last.ContainerStatuses) == 0
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

// Of finds a container's status by name, or nil.
func Of(st v1.PodStatus, name string) *v1.ContainerStatus {
	for _, list := range [][]v1.ContainerStatus{st.ContainerStatuses, st.InitContainerStatuses, st.EphemeralContainerStatuses} {
		for i := range list {
			if list[i].Name == name {
				return &list[i]
			}
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
