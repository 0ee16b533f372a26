package node

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

func pod(name, owner string, local bool, phase corev1.PodPhase) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "d", Name: name}, Status: corev1.PodStatus{Phase: phase}}
	if owner != "" {
		p.OwnerReferences = []metav1.OwnerReference{{Kind: owner, Name: "o", Controller: ptr.To(true)}}
	}
	if local {
		p.Spec.Volumes = []corev1.Volume{{VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
	}
	return p
}

func TestJudge(t *testing.T) {
	const running, done = corev1.PodRunning, corev1.PodSucceeded
	tests := []struct {
		name     string
		pod      *corev1.Pod
		rules    rules
		evicted  bool
		warning  string
		refusing string
	}{
		{"of a replica set", pod("a", "ReplicaSet", false, running), rules{}, true, "", ""},
		{"of a daemon set", pod("a", "DaemonSet", false, running), rules{}, false, "", "DaemonSet"},
		{"of a daemon set, ignored", pod("a", "DaemonSet", false, running), rules{ignoreDaemonSets: true}, false, "ignoring", ""},
		{"on its own", pod("a", "", false, running), rules{}, false, "", "no controller"},
		{"on its own, forced", pod("a", "", false, running), rules{force: true}, true, "no controller", ""},
		{"with local data", pod("a", "ReplicaSet", true, running), rules{}, false, "", "local storage"},
		{"with local data, allowed", pod("a", "ReplicaSet", true, running), rules{deleteEmptyDir: true}, true, "local storage", ""},
		{"finished", pod("a", "", true, done), rules{}, true, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := judge([]*corev1.Pod{tt.pod}, tt.rules)
			if (len(v.evict) == 1) != tt.evicted {
				t.Errorf("evicted %v", v.evict)
			}
			if got := strings.Join(v.warnings, "|"); !strings.Contains(got, tt.warning) || (got == "") != (tt.warning == "") {
				t.Errorf("warnings %q, want %q", got, tt.warning)
			}
			if got := strings.Join(v.refusals, "|"); !strings.Contains(got, tt.refusing) || (got == "") != (tt.refusing == "") {
				t.Errorf("refusals %q, want %q", got, tt.refusing)
			}
		})
	}
}
