package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/deploy/lab"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/kinds"
)

// patience is how long anything may take before a test calls it stuck.
const patience = 40 * time.Second

var (
	hosts  *lab.Lab
	binary string
	client *api.Client
)

// TestMain makes one lab of three hosts for all tests.
func TestMain(m *testing.M) {
	code, err := inLab(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		os.Exit(1)
	}
	os.Exit(code)
}

func inLab(m *testing.M) (code int, err error) {
	if os.Geteuid() != 0 {
		return 0, errors.New("network namespaces and Podman hosts need root")
	}
	if binary, err = filepath.Abs("../../bin/skerry"); err != nil {
		return 0, err
	}
	if _, err := os.Stat(binary); err != nil {
		return 0, fmt.Errorf("build it with `go tool task build`: %w", err)
	}
	dir, err := os.MkdirTemp("/var/tmp", "sk")
	if err != nil {
		return 0, err
	}
	hosts, err = lab.Start(context.Background(), lab.Options{Name: "e2e", Subnet: 7, Dir: dir, Binary: binary, Hosts: 3})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, hosts.Stop()) }()
	if err := hosts.BuildHello(); err != nil {
		return 0, err
	}
	creds, err := os.ReadFile(hosts.Creds("admin"))
	if err != nil {
		return 0, err
	}
	conn, err := bus.Connect(context.Background(), bus.Options{URL: hosts.URL(), User: "admin", Creds: creds})
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	client = api.NewClient(conn, kinds.Table())
	client.RetryFor = 30 * time.Second
	code = m.Run()
	if code != 0 {
		printLogs(dir)
	}
	return code, nil
}

// printLogs shows the end of every service's log, for a failure that cannot be repeated.
func printLogs(dir string) {
	logs, _ := filepath.Glob(filepath.Join(dir, "log", "*.log"))
	for _, l := range logs {
		b, _ := os.ReadFile(l)
		fmt.Fprintf(os.Stderr, "--- %s\n%s\n", filepath.Base(l), b[max(0, len(b)-4000):])
	}
}

// skerry runs the command line and returns what it printed; it must succeed.
func skerry(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	out, err := trySkerry(t, stdin, args...)
	if err != nil {
		t.Fatalf("skerry %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func trySkerry(t *testing.T, stdin string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = append(os.Environ(), "SKERRY_CONFIG="+hosts.Config())
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// eventually polls, since the lab's hosts give no notice of everything, until f
// returns nil or patience ends.
func eventually(t *testing.T, what string, f func() error) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := f()
		if err == nil {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("%s: still %v after %s\n%s", what, err, patience, snapshot(t))
		case <-tick.C:
		}
	}
}

// snapshot is what a person would look at first.
func snapshot(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	for _, args := range [][]string{{"get", "nodes"}, {"get", "deploy,rs,pods", "-A", "-o", "wide"}, {"events", "-A"}} {
		out, err := trySkerry(t, "", args...)
		fmt.Fprintf(&b, "$ skerry %s\n%s", strings.Join(args, " "), out)
		if err != nil {
			fmt.Fprintln(&b, err)
		}
	}
	return b.String()
}

// namespace makes one for the test and removes it afterwards.
func namespace(t *testing.T) string {
	t.Helper()
	ns := strings.ToLower(strings.ReplaceAll(t.Name(), "/", "-"))
	skerry(t, "", "create", "namespace", ns)
	t.Cleanup(func() {
		skerry(t, "", "delete", "namespace", ns, "--timeout", patience.String())
	})
	return ns
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
