package pod

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/deploy/lab"
	"github.com/skerry/skerry/deploy/lab/labtest"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/agent/podman/podmantest"
)

var rig *labtest.Rig

// TestMain makes a lab of one host for all tests. Its image is podmantest.Image:
// busybox with a shell.
func TestMain(m *testing.M) {
	if at := os.Getenv(healthAt); at != "" {
		os.Exit(serveHealth(at)) // this is a container of TestGRPCProbes
	}
	os.Exit(labtest.Main(m, lab.Options{Name: "pod", Subnet: 8, Hosts: 1, RootCA: true}, func(r *labtest.Rig) error {
		rig = r
		tar, err := podmantest.ImageTar()
		if err != nil {
			return err
		}
		named := bytes.NewReader(tar.Bytes())
		return errors.Join(
			r.StartGateway(),
			r.ImportTar(strings.TrimPrefix(podmantest.Image, "localhost/"), tar, `CMD ["/bin/sh","-c","echo default command"]`, "ENV FROM_IMAGE=yes"),
			r.ImportTar("skerry-app:1", named, "USER app"), // the same, with a user that is no number
			profile(),
		)
	}))
}

// apply applies a manifest in namespace ns and returns what was printed.
func apply(t *testing.T, ns, manifest string) string {
	t.Helper()
	return rig.Skerry(t, manifest, "apply", "-n", ns, "-f", "-")
}

// refused applies a manifest that must be refused, and returns the error.
func refused(t *testing.T, ns, manifest string) string {
	t.Helper()
	out, err := rig.TrySkerry(t, manifest, "apply", "-n", ns, "-f", "-")
	if err == nil {
		t.Fatalf("this was accepted:\n%s\n%s", manifest, out)
	}
	return out
}

// get reads a pod.
func get(t *testing.T, ns, name string) *v1.Pod {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), labtest.Patience)
	defer cancel()
	obj, err := rig.Client.Get(ctx, schemas.Ref{Resource: schemas.Pods, Namespace: schemas.Namespace(ns), Name: schemas.Name(name)})
	if err != nil {
		t.Fatalf("get pod %s: %v", name, err)
	}
	return obj.(*v1.Pod)
}

// await waits until ok of the pod, and returns it.
func await(t *testing.T, ns, name, what string, ok func(p *v1.Pod) bool) (p *v1.Pod) {
	t.Helper()
	rig.Eventually(t, name+": "+what, func() error {
		if p = get(t, ns, name); !ok(p) {
			return fmt.Errorf("status %+v", p.Status)
		}
		return nil
	})
	return p
}

// running waits until the pod is ready.
func running(t *testing.T, ns, name string) *v1.Pod {
	t.Helper()
	return await(t, ns, name, "ready", func(p *v1.Pod) bool {
		for _, c := range p.Status.Conditions {
			if c.Type == v1.PodReady {
				return c.Status == v1.ConditionTrue
			}
		}
		return false
	})
}

// ended waits until the pod has succeeded or failed.
func ended(t *testing.T, ns, name string) *v1.Pod {
	t.Helper()
	return await(t, ns, name, "ended", func(p *v1.Pod) bool {
		return p.Status.Phase == v1.PodSucceeded || p.Status.Phase == v1.PodFailed
	})
}

// exec runs a command in the pod's first container and returns its output.
func exec(t *testing.T, ns, name string, command ...string) string {
	t.Helper()
	return rig.Skerry(t, "", append([]string{"exec", "-n", ns, name, "--"}, command...)...)
}

// logs are the pod's logs.
func logs(t *testing.T, ns, name string, args ...string) string {
	t.Helper()
	return rig.Skerry(t, "", append([]string{"logs", "-n", ns, name}, args...)...)
}

// script is a pod of one container that runs a shell script; spec and container are
// further lines of YAML, indented as in the manifest.
func script(name, sh string, spec, container string) string {
	return fmt.Sprintf(`apiVersion: v1
kind: Pod
metadata: {name: %s}
spec:
  terminationGracePeriodSeconds: 1
%s
  containers:
  - name: main
    image: %s
    imagePullPolicy: Never
    command: [/bin/sh, -c, %q]
%s
`, name, spec, podmantest.Image, sh, container)
}
