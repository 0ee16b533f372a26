package status

import (
	"strings"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/services/agent/sandbox"
)

// conditions are the kubelet's; PodScheduled is the scheduler's.
func (in Input) conditions(st v1.PodStatus) []v1.PodCondition {
	sandboxUp := v1.ConditionFalse
	if s := in.Sandbox; s != nil && s.Infra.State == sandbox.Running && (s.HostNetwork || s.IP != "") {
		sandboxUp = v1.ConditionTrue
	}
	ready := readiness(st)
	podReady := ready
	podReady.Type = v1.PodReady
	want := []v1.PodCondition{
		{Type: v1.PodReadyToStartContainers, Status: sandboxUp},
		{Type: v1.PodInitialized, Status: v1.ConditionTrue, Reason: completed(st.Phase)},
		podReady,
		ready,
	}
	for i := range want {
		c := &want[i]
		c.ObservedGeneration = in.Pod.Generation
		c.LastTransitionTime = metav1.NewTime(in.Now.Truncate(time.Second))
		for _, l := range in.Last.Conditions {
			if l.Type == c.Type && l.Status == c.Status && !l.LastTransitionTime.IsZero() {
				c.LastTransitionTime = l.LastTransitionTime
			}
		}
	}
	return want
}

func completed(p v1.PodPhase) string {
	if p == v1.PodSucceeded {
		return "PodCompleted"
	}
	return ""
}

// readiness is the condition ContainersReady.
func readiness(st v1.PodStatus) v1.PodCondition {
	c := v1.PodCondition{Type: v1.ContainersReady, Status: v1.ConditionFalse}
	switch st.Phase {
	case v1.PodSucceeded:
		c.Reason = "PodCompleted"
		return c
	case v1.PodFailed:
		c.Reason = "PodFailed"
		return c
	}
	var unready []string
	for i := range st.ContainerStatuses {
		if !st.ContainerStatuses[i].Ready {
			unready = append(unready, st.ContainerStatuses[i].Name)
		}
	}
	if len(unready) == 0 {
		c.Status = v1.ConditionTrue
		return c
	}
	c.Reason = "ContainersNotReady"
	c.Message = "containers with unready status: [" + strings.Join(unready, " ") + "]"
	return c
}
