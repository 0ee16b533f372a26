//go:build linux

package pod_test

import (
	"testing"

	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/services/agent/pod"
)

// TestShed: pods that have ended for good lose their containers, and nothing of their status;
// those that run lose nothing.
func TestShed(t *testing.T) {
	g := newRig(t)
	done := web("done", "true")
	done.Spec.RestartPolicy = v1.RestartPolicyNever
	g.order(done)
	stays := web("web", forever)
	g.order(stays)
	k := pod.KeyOf(done)
	g.await(k, "it has succeeded", func(st *v1.PodStatus) bool { return st != nil && st.Phase == v1.PodSucceeded })
	g.running(pod.KeyOf(stays), 0)
	g.r.Shed(t.Context())
	if p := one(t, g); p.Key.Name != "web" {
		t.Errorf("left is %+v", p)
	}
	st := g.await(k, "its status is there", func(*v1.PodStatus) bool { return true })
	if end := st.ContainerStatuses[0].State.Terminated; st.Phase != v1.PodSucceeded || end == nil || end.Reason != "Completed" {
		t.Errorf("%+v", st)
	}
	g.r.Shed(t.Context())
	if p := one(t, g); p.Key.Name != "web" {
		t.Errorf("left is %+v", p)
	}
}
