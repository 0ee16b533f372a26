package describe

import (
	"fmt"
	"io"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

func (p *page) deployment(d *appsv1.Deployment, sets []*appsv1.ReplicaSet) {
	p.meta(d)
	p.field(0, "CreationTimestamp", stamp(d.CreationTimestamp))
	p.pairs(0, "Labels", "=", d.Labels)
	p.annotations(d.Annotations)
	p.field(0, "Selector", metav1.FormatLabelSelector(d.Spec.Selector))
	p.deletion(d)
	st := d.Status
	p.field(0, "Replicas", fmt.Sprintf("%d desired | %d updated | %d total | %d available | %d unavailable",
		deref(d.Spec.Replicas, 1), st.UpdatedReplicas, st.Replicas, st.AvailableReplicas, st.UnavailableReplicas))
	p.field(0, "StrategyType", d.Spec.Strategy.Type)
	p.field(0, "MinReadySeconds", d.Spec.MinReadySeconds)
	if ru := d.Spec.Strategy.RollingUpdate; ru != nil && ru.MaxUnavailable != nil && ru.MaxSurge != nil {
		p.field(0, "RollingUpdateStrategy", fmt.Sprintf("%s max unavailable, %s max surge", ru.MaxUnavailable, ru.MaxSurge))
	}
	if d.Spec.Paused {
		p.field(0, "Paused", "true; `skerry rollout resume` lets changes roll out")
	}
	p.template(&d.Spec.Template)
	if len(st.Conditions) > 0 {
		p.line(0, "Conditions:")
		p.line(1, "Type\tStatus\tReason")
		p.line(1, "----\t------\t------")
		for _, c := range st.Conditions {
			p.line(1, "%s \t%s\t%s", c.Type, c.Status, c.Reason)
		}
	}
	p.replicaSets(d, sets)
}

// replicaSets tells the new one, which has the newest revision, from the old ones.
func (p *page) replicaSets(d *appsv1.Deployment, sets []*appsv1.ReplicaSet) {
	const revision = "deployment.kubernetes.io/revision"
	var old []string
	fresh := none
	for _, rs := range sets {
		s := fmt.Sprintf("%s (%d/%d replicas created)", rs.Name, rs.Status.Replicas, deref(rs.Spec.Replicas, 1))
		if rs.Annotations[revision] == d.Annotations[revision] {
			fresh = s
		} else {
			old = append(old, s)
		}
	}
	p.field(0, "OldReplicaSets", strings.Join(old, ", "))
	p.field(0, "NewReplicaSet", fresh)
}

func (p *page) replicaSet(rs *appsv1.ReplicaSet, pods []*corev1.Pod) {
	p.meta(rs)
	p.field(0, "Selector", metav1.FormatLabelSelector(rs.Spec.Selector))
	p.pairs(0, "Labels", "=", rs.Labels)
	p.annotations(rs.Annotations)
	p.controlledBy(rs)
	p.deletion(rs)
	p.field(0, "Replicas", fmt.Sprintf("%d current / %d desired", rs.Status.Replicas, deref(rs.Spec.Replicas, 1)))
	n := map[corev1.PodPhase]int{}
	for _, pod := range pods {
		n[pod.Status.Phase]++
	}
	p.field(0, "Pods Status", fmt.Sprintf("%d Running / %d Waiting / %d Succeeded / %d Failed",
		n[corev1.PodRunning], n[corev1.PodPending], n[corev1.PodSucceeded], n[corev1.PodFailed]))
	p.template(&rs.Spec.Template)
	if len(rs.Status.Conditions) > 0 {
		p.line(0, "Conditions:")
		p.line(1, "Type\tStatus\tReason")
		p.line(1, "----\t------\t------")
		for _, c := range rs.Status.Conditions {
			p.line(1, "%s \t%s\t%s", c.Type, c.Status, c.Reason)
		}
	}
}

func (p *page) template(t *corev1.PodTemplateSpec) {
	p.line(0, "Pod Template:")
	p.pairs(1, "Labels", "=", t.Labels)
	if len(t.Annotations) > 0 {
		p.pairs(1, "Annotations", ": ", t.Annotations)
	}
	if t.Spec.ServiceAccountName != "" {
		p.field(1, "Service Account", t.Spec.ServiceAccountName)
	}
	p.containers(1, "Init Containers", t.Spec.InitContainers, nil)
	p.containers(1, "Containers", t.Spec.Containers, nil)
	p.volumes(1, t.Spec.Volumes)
	if t.Spec.PriorityClassName != "" {
		p.field(1, "Priority Class Name", t.Spec.PriorityClassName)
	}
	p.placement(1, &t.Spec)
}

// Template writes the pod template of a workload given as JSON content, as
// `rollout history --revision` shows it.
func Template(w io.Writer, content map[string]any) error {
	var d appsv1.Deployment
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(content, &d); err != nil {
		return fmt.Errorf("read pod template: %w", err)
	}
	p := newPage(w, time.Time{})
	p.template(&d.Spec.Template)
	return p.flush()
}

func deref(n *int32, otherwise int32) int32 {
	if n == nil {
		return otherwise
	}
	return *n
}
