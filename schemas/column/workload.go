package column

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/schemas"
)

// Deployment returns the columns of deployments.
func Deployment() []schemas.Column {
	deployment := func(name string, value func(d *appsv1.Deployment) string) schemas.Column {
		return column(name, func(d *appsv1.Deployment, _ time.Time) string { return value(d) })
	}
	return append([]schemas.Column{
		name(),
		deployment("READY", func(d *appsv1.Deployment) string {
			return fmt.Sprintf("%d/%d", d.Status.ReadyReplicas, replicas(d.Spec.Replicas))
		}),
		deployment("UP-TO-DATE", func(d *appsv1.Deployment) string { return number(d.Status.UpdatedReplicas) }),
		deployment("AVAILABLE", func(d *appsv1.Deployment) string { return number(d.Status.AvailableReplicas) }),
		age(),
	}, wide(
		deployment("CONTAINERS", func(d *appsv1.Deployment) string { return containerNames(d.Spec.Template) }),
		deployment("IMAGES", func(d *appsv1.Deployment) string { return images(d.Spec.Template) }),
		deployment("SELECTOR", func(d *appsv1.Deployment) string { return metav1.FormatLabelSelector(d.Spec.Selector) }),
	)...)
}

// ReplicaSet returns the columns of replica sets.
func ReplicaSet() []schemas.Column {
	set := func(name string, value func(r *appsv1.ReplicaSet) string) schemas.Column {
		return column(name, func(r *appsv1.ReplicaSet, _ time.Time) string { return value(r) })
	}
	return append([]schemas.Column{
		name(),
		set("DESIRED", func(r *appsv1.ReplicaSet) string { return number(replicas(r.Spec.Replicas)) }),
		set("CURRENT", func(r *appsv1.ReplicaSet) string { return number(r.Status.Replicas) }),
		set("READY", func(r *appsv1.ReplicaSet) string { return number(r.Status.ReadyReplicas) }),
		age(),
	}, wide(
		set("CONTAINERS", func(r *appsv1.ReplicaSet) string { return containerNames(r.Spec.Template) }),
		set("IMAGES", func(r *appsv1.ReplicaSet) string { return images(r.Spec.Template) }),
		set("SELECTOR", func(r *appsv1.ReplicaSet) string { return metav1.FormatLabelSelector(r.Spec.Selector) }),
	)...)
}

// replicas is the wanted number; not set means one.
func replicas(n *int32) int32 {
	if n == nil {
		return 1
	}
	return *n
}

func number(n int32) string { return strconv.Itoa(int(n)) }

func containerNames(t corev1.PodTemplateSpec) string {
	names := make([]string, len(t.Spec.Containers))
	for i, c := range t.Spec.Containers {
		names[i] = c.Name
	}
	return strings.Join(names, ",")
}

func images(t corev1.PodTemplateSpec) string {
	images := make([]string, len(t.Spec.Containers))
	for i, c := range t.Spec.Containers {
		images[i] = c.Image
	}
	return strings.Join(images, ",")
}
