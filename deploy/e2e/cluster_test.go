package e2e

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/deploy/lab"
	"github.com/skerry/skerry/deploy/lab/labtest"
	"github.com/skerry/skerry/schemas"
)

const patience = labtest.Patience

var (
	rig    *labtest.Rig
	hosts  *lab.Lab
	client *api.Client
)

// TestMain makes one lab of three hosts for all tests.
func TestMain(m *testing.M) {
	os.Exit(labtest.Main(m, lab.Options{Name: "e2e", Subnet: 7, Hosts: 3}, func(r *labtest.Rig) error {
		rig, hosts, client = r, r.Lab, r.Client
		return r.BuildHello()
	}))
}

func skerry(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	return rig.Skerry(t, stdin, args...)
}

func trySkerry(t *testing.T, stdin string, args ...string) (string, error) {
	t.Helper()
	return rig.TrySkerry(t, stdin, args...)
}

func eventually(t *testing.T, what string, f func() error) {
	t.Helper()
	rig.Eventually(t, what, f)
}

func namespace(t *testing.T) string {
	t.Helper()
	return rig.Namespace(t)
}

// deployment renders a manifest: the hello image in a version, with edits to the
// Deployment's spec as YAML lines.
func deployment(name, version string, replicas int, spec ...string) string {
	return fmt.Sprintf(`apiVersion: apps/v1
kind: Deployment
metadata:
  name: %[1]s
spec:
  replicas: %[3]d
  selector: {matchLabels: {app: %[1]s}}
%[4]s
  template:
    metadata: {labels: {app: %[1]s}}
    spec:
      terminationGracePeriodSeconds: 2
      tolerations:
      - {key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: 1}
      - {key: node.kubernetes.io/not-ready, operator: Exists, effect: NoExecute, tolerationSeconds: 1}
      containers:
      - name: hello
        image: localhost/skerry-hello:%[2]s
        imagePullPolicy: Never
`, name, version, replicas, strings.Join(spec, "\n"))
}

// pods lists the live pods of an app: those that are not being deleted.
func pods(t *testing.T, ns, app string) []*v1.Pod {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	objs, _, err := client.List(ctx, schemas.Pods, schemas.Namespace(ns), metav1.ListOptions{LabelSelector: "app=" + app})
	if err != nil {
		t.Fatalf("list pods of %s: %v", app, err)
	}
	var out []*v1.Pod
	for _, o := range objs {
		if p := o.(*v1.Pod); p.DeletionTimestamp == nil {
			out = append(out, p)
		}
	}
	return out
}

func ready(p *v1.Pod) bool {
	for _, c := range p.Status.Conditions {
		if c.Type == v1.PodReady {
			return c.Status == v1.ConditionTrue
		}
	}
	return false
}

// waitReady waits until exactly n live pods of app are ready, and returns them.
func waitReady(t *testing.T, ns, app string, n int) (out []*v1.Pod) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d ready pods of %s", n, app), func() error {
		out = pods(t, ns, app)
		r := 0
		for _, p := range out {
			if ready(p) {
				r++
			}
		}
		if r != n || len(out) != n {
			return fmt.Errorf("%d pods, %d ready", len(out), r)
		}
		return nil
	})
	return out
}

// hostOf returns the host that runs p.
func hostOf(t *testing.T, p *v1.Pod) *lab.Host {
	t.Helper()
	for _, h := range hosts.Hosts {
		if h.Name == p.Spec.NodeName {
			return h
		}
	}
	t.Fatalf("%s runs on %q, which is no host", p.Name, p.Spec.NodeName)
	return nil
}

// containerID is the Podman container of p's first container.
func containerID(p *v1.Pod) string {
	if len(p.Status.ContainerStatuses) == 0 {
		return ""
	}
	return strings.TrimPrefix(p.Status.ContainerStatuses[0].ContainerID, "podman://")
}

// containersOf maps each of the pods to its container and restart count: two equal
// maps mean that nothing was restarted.
func containersOf(ps []*v1.Pod) map[string]string {
	out := map[string]string{}
	for _, p := range ps {
		out[p.Name] = fmt.Sprintf("%s restarts=%d", containerID(p), p.Status.ContainerStatuses[0].RestartCount)
	}
	return out
}
