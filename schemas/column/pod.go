package column

import (
	"fmt"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/schemas"
)

// Pod returns the columns of pods.
func Pod() []schemas.Column {
	pod := func(name string, value func(p *corev1.Pod, now time.Time) string) schemas.Column {
		return column(name, value)
	}
	return append([]schemas.Column{
		name(),
		pod("READY", func(p *corev1.Pod, _ time.Time) string {
			s := summarize(p)
			return fmt.Sprintf("%d/%d", s.ready, s.total)
		}),
		pod("STATUS", func(p *corev1.Pod, _ time.Time) string { return PodStatus(p) }),
		pod("RESTARTS", func(p *corev1.Pod, now time.Time) string { return summarize(p).restarts.render(now) }),
		age(),
	}, wide(
		pod("IP", func(p *corev1.Pod, _ time.Time) string {
			if len(p.Status.PodIPs) > 0 {
				return orNone(p.Status.PodIPs[0].IP)
			}
			return orNone(p.Status.PodIP)
		}),
		pod("NODE", func(p *corev1.Pod, _ time.Time) string { return orNone(p.Spec.NodeName) }),
		pod("NOMINATED NODE", func(p *corev1.Pod, _ time.Time) string { return orNone(p.Status.NominatedNodeName) }),
		pod("READINESS GATES", func(p *corev1.Pod, _ time.Time) string { return readinessGates(p) }),
	)...)
}

// PodStatus is the STATUS column: the phase, or the reason that says more, such as
// CrashLoopBackOff, Init:0/1, Completed or Terminating.
func PodStatus(p *corev1.Pod) string { return summarize(p).status }

func readinessGates(p *corev1.Pod) string {
	if len(p.Spec.ReadinessGates) == 0 {
		return "<none>"
	}
	met := 0
	for _, gate := range p.Spec.ReadinessGates {
		if conditionTrue(p, gate.ConditionType) {
			met++
		}
	}
	return fmt.Sprintf("%d/%d", met, len(p.Spec.ReadinessGates))
}

func conditionTrue(p *corev1.Pod, t corev1.PodConditionType) bool {
	for _, c := range p.Status.Conditions {
		if c.Type == t {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// restarts counts restarts and knows when the last one was.
type restarts struct {
	count int
	last  metav1.Time
}

func (r *restarts) add(s corev1.ContainerStatus) {
	r.count += int(s.RestartCount)
	if t := s.LastTerminationState.Terminated; t != nil && r.last.Before(&t.FinishedAt) {
		r.last = t.FinishedAt
	}
}

func (r restarts) render(now time.Time) string {
	if r.count == 0 || r.last.IsZero() {
		return strconv.Itoa(r.count)
	}
	return fmt.Sprintf("%d (%s ago)", r.count, since(r.last, now))
}

// summary is what the columns tell of a pod's containers.
type summary struct {
	ready, total int
	status       string
	restarts     restarts
}

func summarize(p *corev1.Pod) summary {
	s := summary{total: len(p.Spec.Containers), status: string(p.Status.Phase)}
	if p.Status.Reason != "" {
		s.status = p.Status.Reason
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Reason == corev1.PodReasonSchedulingGated {
			s.status = corev1.PodReasonSchedulingGated
		}
	}
	sidecars := map[string]bool{}
	for _, c := range p.Spec.InitContainers {
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			sidecars[c.Name] = true
			s.total++
		}
	}
	ofSidecars, initializing := s.initContainers(p, sidecars)
	if !initializing || conditionTrue(p, corev1.PodInitialized) {
		s.restarts = ofSidecars
		s.containers(p)
	}
	terminal := p.Status.Phase == corev1.PodFailed || p.Status.Phase == corev1.PodSucceeded
	switch {
	case p.DeletionTimestamp != nil && p.Status.Reason == "NodeLost":
		s.status = "Unknown"
	case p.DeletionTimestamp != nil && !terminal:
		s.status = "Terminating"
	}
	return s
}

// initContainers looks at the init containers up to the first that is not done.
func (s *summary) initContainers(p *corev1.Pod, sidecars map[string]bool) (ofSidecars restarts, initializing bool) {
	for i, c := range p.Status.InitContainerStatuses {
		s.restarts.add(c)
		if sidecars[c.Name] {
			ofSidecars.add(c)
		}
		ended, waiting := c.State.Terminated, c.State.Waiting
		switch {
		case ended != nil && ended.ExitCode == 0:
			continue
		case sidecars[c.Name] && c.Started != nil && *c.Started:
			if c.Ready {
				s.ready++
			}
			continue
		case ended != nil:
			s.status = "Init:" + endReason(ended)
		case waiting != nil && waiting.Reason != "" && waiting.Reason != "PodInitializing":
			s.status = "Init:" + waiting.Reason
		default:
			s.status = fmt.Sprintf("Init:%d/%d", i, len(p.Spec.InitContainers))
		}
		return ofSidecars, true
	}
	return ofSidecars, false
}

// containers looks at the main containers; the first one's state has the last word.
func (s *summary) containers(p *corev1.Pod) {
	running := false
	for i := len(p.Status.ContainerStatuses) - 1; i >= 0; i-- {
		c := p.Status.ContainerStatuses[i]
		s.restarts.add(c)
		switch {
		case c.State.Waiting != nil && c.State.Waiting.Reason != "":
			s.status = c.State.Waiting.Reason
		case c.State.Terminated != nil:
			s.status = endReason(c.State.Terminated)
		case c.Ready && c.State.Running != nil:
			running = true
			s.ready++
		}
	}
	if s.status == "Completed" && running {
		s.status = "NotReady"
		if conditionTrue(p, corev1.PodReady) {
			s.status = "Running"
		}
	}
}

func endReason(t *corev1.ContainerStateTerminated) string {
	switch {
	case t.Reason != "":
		return t.Reason
	case t.Signal != 0:
		return fmt.Sprintf("Signal:%d", t.Signal)
	}
	return fmt.Sprintf("ExitCode:%d", t.ExitCode)
}
