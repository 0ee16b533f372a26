package status

import (
	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/services/agent/member"
)

// Restarting tells whether st says that every container of the pod is being restarted.
func Restarting(st v1.PodStatus) bool {
	for _, c := range st.Conditions {
		if c.Type == v1.AllContainersRestarting {
			return c.Status == v1.ConditionTrue
		}
	}
	return false
}

// restarting tells whether every container is being restarted now: it began, and some have not
// been made again.
func (in Input) restarting() bool {
	if in.RestartAll {
		return true
	}
	if !Restarting(in.Last) || in.Pod.DeletionTimestamp != nil || in.Doomed != nil || in.Last.Reason != "" {
		return false
	}
	for _, c := range member.All(in.Pod) {
		if c.Sort != member.Ephemeral && Newest(in.Sandbox, in.Last, c.Name) == nil {
			return true
		}
	}
	return false
}

// restart is the condition AllContainersRestarting, of a pod that had or has it.
func (in Input) restart() []v1.PodCondition {
	c := v1.PodCondition{Type: v1.AllContainersRestarting, Status: v1.ConditionFalse}
	if in.restarting() {
		c.Status = v1.ConditionTrue
		return []v1.PodCondition{c}
	}
	for _, l := range in.Last.Conditions {
		if l.Type == c.Type {
			return []v1.PodCondition{c}
		}
	}
	return nil
}
