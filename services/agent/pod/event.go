package pod

import (
	"fmt"
	"slices"

	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/services/agent/status"
)

// transition is an event that a change of status calls for.
type transition struct {
	container, eventType, reason, message string
}

// transitions are the events for containers that came to wait for a new reason.
func transitions(p *v1.Pod, before, after v1.PodStatus) []transition {
	var out []transition
	all := slices.Concat(after.InitContainerStatuses, after.ContainerStatuses, after.EphemeralContainerStatuses)
	for i := range all {
		c := &all[i]
		w := c.State.Waiting
		if w == nil {
			continue
		}
		if old := status.Of(before, c.Name); old != nil && old.State.Waiting != nil && old.State.Waiting.Reason == w.Reason &&
			old.RestartCount == c.RestartCount {
			continue
		}
		switch w.Reason {
		case "CrashLoopBackOff":
			out = append(out, transition{c.Name, v1.EventTypeWarning, "BackOff",
				fmt.Sprintf("Back-off restarting failed container %s in pod %s_%s(%s)", c.Name, p.Name, p.Namespace, p.UID)})
		case "ImagePullBackOff":
			out = append(out, transition{c.Name, v1.EventTypeNormal, "BackOff", fmt.Sprintf("Back-off pulling image %q", c.Image)},
				transition{c.Name, v1.EventTypeWarning, "Failed", "Error: ImagePullBackOff"})
		case "ErrImagePull":
			out = append(out, transition{c.Name, v1.EventTypeWarning, "Failed", "Error: ErrImagePull"})
		case "ErrImageNeverPull":
			out = append(out, transition{c.Name, v1.EventTypeWarning, "ErrImageNeverPull", w.Message},
				transition{c.Name, v1.EventTypeWarning, "Failed", "Error: ErrImageNeverPull"})
		case "CreateContainerConfigError", "CreateContainerError":
			out = append(out, transition{c.Name, v1.EventTypeWarning, "Failed", "Error: " + w.Message})
		}
	}
	return out
}
