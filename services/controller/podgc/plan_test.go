package podgc

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/schemas"
)

func TestPlan(t *testing.T) {
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	pod := func(name, node string, phase corev1.PodPhase, going bool, age time.Duration) *corev1.Pod {
		p := &corev1.Pod{}
		p.Name, p.Spec.NodeName, p.Status.Phase = name, node, phase
		p.CreationTimestamp = metav1.NewTime(noon.Add(-age))
		if going {
			p.DeletionTimestamp = &metav1.Time{Time: noon}
		}
		return p
	}
	off := &corev1.Node{}
	off.Spec.Taints = []corev1.Taint{{Key: corev1.TaintNodeOutOfService}}
	nodes := map[schemas.NodeName]*corev1.Node{"n1": {}, "off": off}
	pods := []*corev1.Pod{
		pod("fine", "n1", corev1.PodRunning, false, time.Hour),
		pod("stopping", "n1", corev1.PodRunning, true, time.Hour),
		pod("lost", "gone", corev1.PodRunning, false, time.Hour),
		pod("waiting", "", corev1.PodPending, false, time.Hour),
		pod("never-ran", "", corev1.PodPending, true, time.Hour),
		pod("stuck", "off", corev1.PodRunning, true, time.Hour),
		pod("old", "n1", corev1.PodSucceeded, false, 3*time.Hour),
		pod("new", "n1", corev1.PodFailed, false, time.Hour),
		pod("older", "n1", corev1.PodFailed, false, 4*time.Hour),
	}
	l := limits{quarantine: 40 * time.Second, terminated: 1}
	names := func(list []*corev1.Pod) (s []string) {
		for _, p := range list {
			s = append(s, p.Name)
		}
		return s
	}
	p := plan(pods, nodes, nil, l, noon)
	got := fmt.Sprint(names(p.Orphaned), names(p.Terminated), names(p.Unscheduled), names(p.OutOfService), len(p.Missing))
	if got != "[] [older old] [never-ran] [stuck] 1" {
		t.Errorf("at first: %s", got)
	}
	p = plan(pods, nodes, p.Missing, l, noon.Add(39*time.Second))
	if len(p.Orphaned) != 0 {
		t.Errorf("in quarantine: %v", names(p.Orphaned))
	}
	if q := plan(pods, nodes, p.Missing, l, noon.Add(40*time.Second)); fmt.Sprint(names(q.Orphaned)) != "[lost]" {
		t.Errorf("after it: %v", names(q.Orphaned))
	}
	nodes["gone"] = &corev1.Node{}
	if q := plan(pods, nodes, p.Missing, l, noon.Add(time.Hour)); len(q.Orphaned)+len(q.Missing) != 0 {
		t.Errorf("the node is back: %v", names(q.Orphaned))
	}
}
