package status

import (
	"strings"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/services/agent/member"
	"github.com/skerry/skerry/services/agent/sandbox"
)

const idPrefix = "podman://"

// ID is a container's id as a status has it.
func ID(id string) string { return idPrefix + id }

// container is one container's status: of its newest run, with the one before it.
func (in Input) container(c member.Container) v1.ContainerStatus {
	last := Of(in.Last, c.Name)
	cs := v1.ContainerStatus{Name: c.Name, Image: c.Image, Started: new(bool)}
	if last != nil {
		cs.ContainerID, cs.ImageID, cs.RestartCount = last.ContainerID, last.ImageID, last.RestartCount
		cs.LastTerminationState = *last.LastTerminationState.DeepCopy()
	}
	newest := Newest(in.Sandbox, in.Last, c.Name)
	switch {
	case newest != nil:
		in.seen(&cs, newest, last)
	case last != nil && last.ContainerID != "":
		in.unseen(&cs, last)
	default:
		cs.State.Waiting = in.hindrance(c.Name)
	}
	if cs.State.Running != nil {
		h, said := in.Health[newest.ID]
		*cs.Started = h.Started || !said
		cs.Ready = *cs.Started && (h.Ready || !said)
	}
	switch c.Sort {
	case member.Init:
		end := cs.State.Terminated
		cs.Ready = end != nil && end.ExitCode == 0
	case member.Ephemeral:
		cs.Started, cs.Ready = nil, false
	}
	if c.Lifecycle != nil && c.Lifecycle.StopSignal != nil {
		cs.StopSignal = new(*c.Lifecycle.StopSignal)
	}
	if c.Sort != member.Ephemeral {
		cs.Resources = &c.Resources
		cs.AllocatedResources = c.Resources.Requests
		if r, ok := in.Actual[c.Name]; ok && cs.State.Running != nil {
			cs.Resources = &r
		}
	}
	if last != nil {
		rememberKill(&cs, last)
	}
	return cs
}

// seen fills in the status of a container that the runtime has.
func (in Input) seen(cs *v1.ContainerStatus, n *sandbox.Container, last *v1.ContainerStatus) {
	id := idPrefix + n.ID
	if last != nil && last.ContainerID != "" && last.ContainerID != id {
		// A newer run: what was known of the one before is its last state.
		if t := Ended(last); t != nil {
			cs.LastTerminationState = v1.ContainerState{Terminated: t.DeepCopy()}
		} else {
			cs.LastTerminationState = v1.ContainerState{Terminated: in.vanished(last)}
		}
	}
	for i := range in.Sandbox.Containers {
		if o := &in.Sandbox.Containers[i]; o.Name == n.Name && o.Attempt == n.Attempt-1 && o.State == sandbox.Exited {
			cs.LastTerminationState = v1.ContainerState{Terminated: in.terminated(o)}
		}
	}
	cs.ContainerID, cs.RestartCount = id, int32(n.Attempt)
	cs.ImageID = n.ImageID
	u, unstarted := in.Unstarted[n.ID]
	switch {
	case unstarted:
		in.ended(cs, &v1.ContainerStateTerminated{
			ExitCode: StartError, Reason: "StartError", Message: u.Message, ContainerID: id, FinishedAt: seconds(u.At),
		})
	case n.State == sandbox.Exited:
		in.ended(cs, in.terminated(n))
	case (n.State == sandbox.Running || n.State == sandbox.Paused) && !in.Health[n.ID].Starting:
		cs.State.Running = &v1.ContainerStateRunning{StartedAt: seconds(n.StartedAt)}
	case n.State == sandbox.Unknown && last != nil && last.ContainerID == id:
		cs.State = *last.State.DeepCopy()
	default:
		cs.State.Waiting = in.hindrance(cs.Name)
	}
}

// unseen fills in the status of a container that ran and is gone.
func (in Input) unseen(cs *v1.ContainerStatus, last *v1.ContainerStatus) {
	t := Ended(last)
	if t == nil {
		t = in.vanished(last)
	}
	in.ended(cs, t.DeepCopy())
}

// ended makes t the state, or, while a restart is held back, the last state.
func (in Input) ended(cs *v1.ContainerStatus, t *v1.ContainerStateTerminated) {
	if w, ok := in.Waiting[cs.Name]; ok {
		cs.State = v1.ContainerState{Waiting: &w}
		cs.LastTerminationState = v1.ContainerState{Terminated: t}
		return
	}
	cs.State = v1.ContainerState{Terminated: t}
}

func (in Input) vanished(last *v1.ContainerStatus) *v1.ContainerStateTerminated {
	t := &v1.ContainerStateTerminated{
		ExitCode: Vanished, Reason: "ContainerStatusUnknown",
		Message:     "The container could not be located when the pod was checked",
		ContainerID: last.ContainerID, FinishedAt: seconds(in.Now),
	}
	if last.State.Running != nil {
		t.StartedAt = last.State.Running.StartedAt
	}
	return t
}

func (in Input) hindrance(name string) *v1.ContainerStateWaiting {
	if w, ok := in.Waiting[name]; ok {
		return &w
	}
	if len(in.Pod.Spec.InitContainers) > 0 {
		return &v1.ContainerStateWaiting{Reason: "PodInitializing"}
	}
	return &v1.ContainerStateWaiting{Reason: "ContainerCreating"}
}

func (in Input) terminated(c *sandbox.Container) *v1.ContainerStateTerminated {
	t := &v1.ContainerStateTerminated{
		ExitCode: int32(c.ExitCode), Reason: "Error", ContainerID: idPrefix + c.ID,
		StartedAt: seconds(c.StartedAt), FinishedAt: seconds(c.FinishedAt),
		Message: in.message(c.ID),
	}
	switch {
	case c.OOMKilled && c.ExitCode != 0:
		t.Reason = "OOMKilled"
	case c.ExitCode == 0:
		t.Reason = "Completed"
	}
	return t
}

// rememberKill keeps the reason OOMKilled of a run that an agent before this one, or
// this one, saw end: nobody can tell later.
func rememberKill(cs, last *v1.ContainerStatus) {
	for _, was := range []*v1.ContainerStateTerminated{last.State.Terminated, last.LastTerminationState.Terminated} {
		if was == nil || was.Reason != "OOMKilled" {
			continue
		}
		for _, t := range []*v1.ContainerStateTerminated{cs.State.Terminated, cs.LastTerminationState.Terminated} {
			if t != nil && t.ContainerID == was.ContainerID {
				t.Reason = was.Reason
			}
		}
	}
}

// maxMessages bounds the termination messages of a pod in bytes: its containers share it.
const maxMessages = 12 << 10

func (in Input) message(id string) string {
	text := in.Messages[id]
	if limit := maxMessages / max(len(member.All(in.Pod)), 1); len(text) > limit {
		text = strings.ToValidUTF8(text[:limit], "")
	}
	return text
}

// seconds is the precision that times have in JSON: comparing finer ones would find
// differences after every round trip.
func seconds(t time.Time) metav1.Time {
	if t.IsZero() {
		return metav1.Time{}
	}
	return metav1.NewTime(t.Truncate(time.Second))
}
