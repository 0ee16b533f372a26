package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/schemas"
)

const noneUnavailable = "  strategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}"

// guard watches an app's pods until stopped, and reports every moment at which
// fewer than floor were ready.
func guard(t *testing.T, ns, app string, floor int) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	started := make(chan struct{})
	go func() {
		defer close(done)
		live, synced := map[types.UID]bool{}, false
		for ctx.Err() == nil {
			clear(live)
			opts := metav1.ListOptions{LabelSelector: "app=" + app, ResourceVersion: "0"}
			_ = client.Watch(ctx, schemas.Pods, schemas.Namespace(ns), opts, func(event string, o schemas.Object) error {
				p, ok := o.(*v1.Pod)
				if !ok {
					return nil
				}
				live[p.UID] = event != "DELETED" && ready(p)
				n := 0
				for _, r := range live {
					if r {
						n++
					}
				}
				if n >= floor && !synced {
					synced = true
					close(started)
				}
				if synced && n < floor {
					t.Errorf("%s %s: %d pods ready, asked for %d", event, p.Name, n, floor)
				}
				return nil
			})
		}
	}()
	<-started
	return func() { cancel(); <-done }
}

func TestRollingUpdateKeepsItsPromise(t *testing.T) {
	ns := namespace(t)
	skerry(t, deployment("web", "v1", 4, noneUnavailable), "apply", "-n", ns, "-f", "-", "--wait")
	waitReady(t, ns, "web", 4)
	stop := guard(t, ns, "web", 4)
	skerry(t, deployment("web", "v2", 4, noneUnavailable), "apply", "-n", ns, "-f", "-", "--wait")
	ps := waitReady(t, ns, "web", 4)
	stop()
	for _, p := range ps {
		if !strings.HasSuffix(p.Spec.Containers[0].Image, ":v2") {
			t.Errorf("%s runs %s after the rollout", p.Name, p.Spec.Containers[0].Image)
		}
	}
}

// images counts the live pods by image.
func images(t *testing.T, ns, app string) map[string]int {
	out := map[string]int{}
	for _, p := range pods(t, ns, app) {
		_, tag, _ := strings.Cut(p.Spec.Containers[0].Image, ":")
		out[tag]++
	}
	return out
}

func TestBadImageStopsAndUndoes(t *testing.T) {
	ns := namespace(t)
	apply := func(version string) {
		skerry(t, deployment("web", version, 3, noneUnavailable), "apply", "-n", ns, "-f", "-")
	}
	apply("v1")
	skerry(t, "", "rollout", "status", "-n", ns, "deployment/web")
	apply("v2")
	skerry(t, "", "rollout", "status", "-n", ns, "deployment/web")
	stop := guard(t, ns, "web", 3)
	apply("missing")
	eventually(t, "the bad image to be reported", func() error {
		for _, p := range pods(t, ns, "web") {
			for _, c := range p.Status.ContainerStatuses {
				if c.State.Waiting != nil && c.State.Waiting.Reason == "ErrImageNeverPull" {
					return nil
				}
			}
		}
		return errors.New("no pod says so")
	})
	if got := images(t, ns, "web"); got["missing"] != 1 || got["v2"] != 3 {
		t.Errorf("pods by image %v, want one of the bad image and three of v2", got)
	}
	skerry(t, "", "rollout", "undo", "-n", ns, "deployment/web")
	skerry(t, "", "rollout", "status", "-n", ns, "deployment/web")
	waitReady(t, ns, "web", 3)
	stop()
	if got := images(t, ns, "web"); got["v2"] != 3 {
		t.Errorf("after undo %v, want v2", got)
	}
	skerry(t, "", "rollout", "undo", "-n", ns, "deployment/web", "--to-revision=1")
	skerry(t, "", "rollout", "status", "-n", ns, "deployment/web")
	if got := images(t, ns, "web"); got["v1"] != 3 {
		t.Errorf("after undo to revision 1 %v, want v1", got)
	}
	history := skerry(t, "", "rollout", "history", "-n", ns, "deployment/web")
	if !strings.Contains(history, "REVISION") || strings.Contains(history, "\n1 ") {
		t.Errorf("revision 1 was rolled out again, so it has a new number:\n%s", history)
	}
}

func TestPause(t *testing.T) {
	ns := namespace(t)
	skerry(t, deployment("web", "v1", 2), "apply", "-n", ns, "-f", "-", "--wait")
	skerry(t, "", "rollout", "pause", "-n", ns, "deployment/web")
	skerry(t, deployment("web", "v2", 2), "apply", "-n", ns, "-f", "-")
	ctx := context.Background()
	web := schemas.Ref{Resource: schemas.Deployments, Namespace: schemas.Namespace(ns), Name: "web"}
	eventually(t, "the controller to see the paused change", func() error {
		o, err := client.Get(ctx, web)
		if err != nil {
			return err
		}
		if d := o.(*appsv1.Deployment); d.Status.ObservedGeneration < d.Generation {
			return fmt.Errorf("observed generation %d of %d", d.Status.ObservedGeneration, d.Generation)
		}
		return nil
	})
	if got := images(t, ns, "web"); got["v2"] != 0 {
		t.Errorf("a paused deployment rolled out: %v", got)
	}
	skerry(t, "", "rollout", "resume", "-n", ns, "deployment/web")
	skerry(t, "", "rollout", "status", "-n", ns, "deployment/web")
	if got := images(t, ns, "web"); got["v2"] != 2 {
		t.Errorf("after resume %v, want v2", got)
	}
}

func TestConfigMapUndo(t *testing.T) {
	ns := namespace(t)
	manifest := func(v string) string {
		return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {colour: " + v + "}\n"
	}
	colour := func() string {
		return skerry(t, "", "get", "-n", ns, "configmap/settings", "-o", "jsonpath={.data.colour}")
	}
	for _, c := range []string{"red", "green", "blue"} {
		skerry(t, manifest(c), "apply", "-n", ns, "-f", "-")
	}
	if h := skerry(t, "", "rollout", "history", "-n", ns, "configmap/settings"); strings.Count(strings.TrimSpace(h), "\n") < 3 {
		t.Errorf("three generations, but the history is\n%s", h)
	}
	skerry(t, "", "rollout", "undo", "-n", ns, "configmap/settings")
	if c := colour(); c != "green" {
		t.Errorf("after undo %q, want green", c)
	}
	skerry(t, "", "rollout", "undo", "-n", ns, "configmap/settings", "--to-revision=1")
	if c := colour(); c != "red" {
		t.Errorf("after undo to revision 1 %q, want red", c)
	}
	skerry(t, "", "delete", "-n", ns, "configmap/settings")
	skerry(t, "", "rollout", "undo", "-n", ns, "configmap/settings")
	if c := colour(); c != "red" {
		t.Errorf("after undo of the deletion %q, want red", c)
	}
}
