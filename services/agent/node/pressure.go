package node

import (
	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/schemas"
)

// saying is a condition in the kubelet's words: when it is true, when it is not, and the
// events of its changes.
type saying struct {
	condition       v1.NodeConditionType
	bad, good       string // reasons
	short, enough   string // messages
	badEvent, relax string // reasons of events
}

var sayings = []saying{
	{v1.NodeMemoryPressure, "KubeletHasInsufficientMemory", "KubeletHasSufficientMemory",
		"kubelet has insufficient memory available", "kubelet has sufficient memory available", "NodeHasInsufficientMemory", "NodeHasSufficientMemory"},
	{v1.NodeDiskPressure, "KubeletHasDiskPressure", "KubeletHasNoDiskPressure",
		"kubelet has disk pressure", "kubelet has no disk pressure", "NodeHasDiskPressure", "NodeHasNoDiskPressure"},
	{v1.NodePIDPressure, "KubeletHasInsufficientPID", "KubeletHasSufficientPID",
		"kubelet has insufficient PID available", "kubelet has sufficient PID available", "NodeHasInsufficientPID", "NodeHasSufficientPID"},
}

// pressures are the conditions of what may be short.
func pressures(pressure map[v1.NodeConditionType]bool) []v1.NodeCondition {
	out := make([]v1.NodeCondition, 0, len(sayings)+1)
	for _, s := range sayings {
		c := v1.NodeCondition{Type: s.condition, Status: v1.ConditionFalse, Reason: s.good, Message: s.enough}
		if pressure[s.condition] {
			c.Status, c.Reason, c.Message = v1.ConditionTrue, s.bad, s.short
		}
		out = append(out, c)
	}
	return out
}

// announcePressure records the conditions that changed.
func (n *Node) announcePressure(object *v1.Node, before, after v1.NodeStatus) {
	for _, s := range sayings {
		was, is := status(before, s.condition), status(after, s.condition)
		if was == is || was == "" && is == v1.ConditionFalse {
			continue
		}
		reason := s.relax
		if is == v1.ConditionTrue {
			reason = s.badEvent
		}
		n.Event(object, v1.EventTypeNormal, reason, "Node "+string(n.Name)+" status is now: "+reason)
	}
}

// Event records what happened to the node, once it is registered.
func (n *Node) Event(object *v1.Node, eventType, reason, message string) {
	if object == nil {
		n.mu.Lock()
		object = n.object
		n.mu.Unlock()
	}
	if object != nil {
		n.Recorder.Event(schemas.Object(object), eventType, reason, message)
	}
}

func status(st v1.NodeStatus, t v1.NodeConditionType) v1.ConditionStatus {
	for _, c := range st.Conditions {
		if c.Type == t {
			return c.Status
		}
	}
	return ""
}
