package node

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// rules say which pods a drain may take away.
type rules struct {
	ignoreDaemonSets, deleteEmptyDir, force bool
}

// verdict is what a drain does with a node's pods.
type verdict struct {
	evict []*corev1.Pod
	// warnings name pods that stay or are lost, with leave.
	warnings []string
	// refusals name pods that keep the drain from beginning.
	refusals []string
}

const mirrorAnnotation = "kubernetes.io/config.mirror"

// judge sorts the pods of a node, as kubectl does: finished pods and mirrors are no
// hindrance; DaemonSets' pods would come back at once; local data and pods that nobody would
// make again need leave.
func judge(pods []*corev1.Pod, r rules) verdict {
	var v verdict
	var daemons, localRefused, unmanaged, ignored, lost, local []string
	for _, p := range pods {
		name := p.Namespace + "/" + p.Name
		owner := metav1.GetControllerOf(p)
		finished := p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
		_, mirror := p.Annotations[mirrorAnnotation]
		switch {
		case mirror:
			continue
		case !finished && owner != nil && owner.Kind == "DaemonSet":
			if r.ignoreDaemonSets {
				ignored = append(ignored, name)
				continue
			}
			daemons = append(daemons, name)
			continue
		case !finished && hasLocalData(p) && !r.deleteEmptyDir:
			localRefused = append(localRefused, name)
			continue
		case !finished && owner == nil && !r.force:
			unmanaged = append(unmanaged, name)
			continue
		}
		if !finished && owner == nil {
			lost = append(lost, name)
		}
		if !finished && hasLocalData(p) {
			local = append(local, name)
		}
		v.evict = append(v.evict, p)
	}
	v.warnings = about(nil, "ignoring DaemonSet-managed Pods", ignored)
	v.warnings = about(v.warnings, "deleting Pods that declare no controller", lost)
	v.warnings = about(v.warnings, "deleting Pods with local storage", local)
	v.refusals = about(nil, "cannot delete DaemonSet-managed Pods (use --ignore-daemonsets to ignore)", daemons)
	v.refusals = about(v.refusals, "cannot delete Pods with local storage (use --delete-emptydir-data to override)", localRefused)
	v.refusals = about(v.refusals, "cannot delete Pods that declare no controller (use --force to override)", unmanaged)
	return v
}

// about appends a sentence about names, if there are any.
func about(to []string, text string, names []string) []string {
	if len(names) == 0 {
		return to
	}
	return append(to, text+": "+strings.Join(names, ", "))
}

func hasLocalData(p *corev1.Pod) bool {
	return slices.ContainsFunc(p.Spec.Volumes, func(v corev1.Volume) bool { return v.EmptyDir != nil })
}
