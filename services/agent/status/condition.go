package status

import (
	"strings"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/services/agent/member"
	"github.com/skerry/skerry/services/agent/sandbox"
)

// conditions are the kubelet's; PodScheduled is the scheduler's. Readiness gates are no
// business of the agent's, which does not see what others say of a pod: the join knows.
func (in Input) conditions(st v1.PodStatus) []v1.PodCondition {
	sandboxUp := v1.ConditionFalse
	if s := in.Sandbox; s != nil && s.Infra.State == sandbox.Running && (s.HostNetwork || s.IP != "") {
		sandboxUp = v1.ConditionTrue
	}
	ready := in.readiness(st)
	podReady := ready
	podReady.Type = v1.PodReady
	want := []v1.PodCondition{
		{Type: v1.PodReadyToStartContainers, Status: sandboxUp},
		in.initialized(st),
		podReady,
		ready,
	}
	if d := in.disruption(); d != nil {
		want = append(want, *d)
	}
	want = append(want, in.Resizing...)
	want = append(want, in.restart()...)
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

// disruption is the condition of a pod that was evicted here, and stays.
func (in Input) disruption() *v1.PodCondition {
	if in.Doomed != nil && in.Doomed.Condition != nil {
		return in.Doomed.Condition.DeepCopy()
	}
	for i := range in.Last.Conditions {
		if in.Last.Conditions[i].Type == v1.DisruptionTarget {
			return in.Last.Conditions[i].DeepCopy()
		}
	}
	return nil
}

// initialized tells whether the main containers may run, or have.
func (in Input) initialized(st v1.PodStatus) v1.PodCondition {
	c := v1.PodCondition{Type: v1.PodInitialized, Status: v1.ConditionTrue}
	if st.Phase == v1.PodSucceeded {
		c.Reason = "PodCompleted"
		return c
	}
	for i := range st.ContainerStatuses {
		if o := &st.ContainerStatuses[i]; o.State.Running != nil || Ended(o) != nil {
			return c
		}
	}
	var incomplete []string
	for _, m := range member.All(in.Pod) {
		cs := Of(st, m.Name)
		switch {
		case m.Sort == member.Init && !cs.Ready, m.Sort == member.Sidecar && !*cs.Started:
			incomplete = append(incomplete, m.Name)
		}
	}
	if len(incomplete) > 0 {
		c.Status, c.Reason = v1.ConditionFalse, "ContainersNotInitialized"
		c.Message = "containers with incomplete status: [" + strings.Join(incomplete, " ") + "]"
	}
	return c
}

// readiness is the condition ContainersReady.
func (in Input) readiness(st v1.PodStatus) v1.PodCondition {
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
	for _, m := range member.All(in.Pod) {
		if (m.Sort == member.Main || m.Sort == member.Sidecar) && !Of(st, m.Name).Ready {
			unready = append(unready, m.Name)
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
