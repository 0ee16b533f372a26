package rollout

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/schemas"
)

// progress is what is to say about a rollout at one moment.
type progress struct {
	Message string
	Done    bool
}

// statusOf judges how far obj's rollout is, in kubectl's words. The error is final.
func statusOf(obj schemas.Object) (progress, error) {
	switch o := obj.(type) {
	case *appsv1.Deployment:
		return deploymentStatus(o)
	case *appsv1.ReplicaSet:
		return replicaSetStatus(o), nil
	case *corev1.Pod:
		return podStatus(o)
	}
	return progress{Done: true}, nil
}

func deploymentStatus(d *appsv1.Deployment) (progress, error) {
	if d.Generation > d.Status.ObservedGeneration {
		return progress{Message: "Waiting for deployment spec update to be observed..."}, nil
	}
	for _, c := range d.Status.Conditions {
		if c.Type == appsv1.DeploymentProgressing && c.Reason == "ProgressDeadlineExceeded" {
			return progress{}, fmt.Errorf("deployment %q exceeded its progress deadline", d.Name)
		}
	}
	want, st := int32(1), d.Status
	if d.Spec.Replicas != nil {
		want = *d.Spec.Replicas
	}
	waiting := fmt.Sprintf("Waiting for deployment %q rollout to finish: ", d.Name)
	switch {
	case st.UpdatedReplicas < want:
		return progress{Message: waiting + fmt.Sprintf("%d out of %d new replicas have been updated...", st.UpdatedReplicas, want)}, nil
	case st.Replicas > st.UpdatedReplicas:
		return progress{Message: waiting + fmt.Sprintf("%d old replicas are pending termination...", st.Replicas-st.UpdatedReplicas)}, nil
	case st.AvailableReplicas < st.UpdatedReplicas:
		return progress{Message: waiting + fmt.Sprintf("%d of %d updated replicas are available...", st.AvailableReplicas, st.UpdatedReplicas)}, nil
	}
	return progress{Message: fmt.Sprintf("deployment %q successfully rolled out", d.Name), Done: true}, nil
}

func replicaSetStatus(rs *appsv1.ReplicaSet) progress {
	want, st := int32(1), rs.Status
	if rs.Spec.Replicas != nil {
		want = *rs.Spec.Replicas
	}
	switch {
	case rs.Generation > st.ObservedGeneration:
		return progress{Message: "Waiting for replica set spec update to be observed..."}
	case st.Replicas != want || st.AvailableReplicas < want:
		return progress{Message: fmt.Sprintf("Waiting for replica set %q to finish: %d of %d replicas are available...", rs.Name, st.AvailableReplicas, want)}
	}
	return progress{Message: fmt.Sprintf("replica set %q has %d available replicas", rs.Name, want), Done: true}
}

// podStatus is about a pod on its own, which `apply --wait` waits for too.
func podStatus(p *corev1.Pod) (progress, error) {
	switch p.Status.Phase {
	case corev1.PodFailed:
		return progress{}, fmt.Errorf("pod %q failed: %s", p.Name, hindrance(p))
	case corev1.PodSucceeded:
		return progress{Message: fmt.Sprintf("pod %q succeeded", p.Name), Done: true}, nil
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
			return progress{Message: fmt.Sprintf("pod %q is ready", p.Name), Done: true}, nil
		}
	}
	why := hindrance(p)
	if why == "" {
		return progress{Message: fmt.Sprintf("Waiting for pod %q to be ready...", p.Name)}, nil
	}
	return progress{Message: fmt.Sprintf("Waiting for pod %q to be ready: %s", p.Name, why)}, nil
}

// hindrance says what keeps a pod from being ready, "" if nothing does or it is
// only on its way.
func hindrance(p *corev1.Pod) string {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return reasonAndMessage(c.Reason, c.Message)
		}
	}
	statuses := append(append([]corev1.ContainerStatus{}, p.Status.InitContainerStatuses...), p.Status.ContainerStatuses...)
	for _, cs := range statuses {
		if w := cs.State.Waiting; w != nil && w.Reason != "" && w.Reason != "ContainerCreating" && w.Reason != "PodInitializing" {
			return reasonAndMessage(w.Reason, w.Message)
		}
		if t := cs.State.Terminated; t != nil && t.ExitCode != 0 {
			return reasonAndMessage(t.Reason, fmt.Sprintf("container %s ended with exit code %d", cs.Name, t.ExitCode))
		}
	}
	if p.Status.Phase == corev1.PodFailed {
		return reasonAndMessage(p.Status.Reason, p.Status.Message)
	}
	return ""
}

func reasonAndMessage(reason, message string) string {
	if message == "" {
		return reason
	}
	if reason == "" {
		return message
	}
	return reason + ": " + message
}
