package pod

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/services/agent/podman/podmantest"
)

// healthAt is the environment variable that makes this test's own program, mounted into a
// container, a gRPC server at that address.
const healthAt = "SKERRY_TEST_HEALTH_AT"

// serveHealth answers grpc.health.v1.Health/Check: a service is down once there is a file of
// its name in /tmp.
func serveHealth(at string) int {
	s := &http.Server{Addr: at, Protocols: new(http.Protocols), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, 1<<10))
		if err != nil || r.URL.Path != "/grpc.health.v1.Health/Check" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Trailer", "Grpc-Status")
		status := byte(serving)
		for _, service := range []string{"ready", "live"} {
			if _, err := os.Stat(filepath.Join("/tmp", service)); err == nil && bytes.HasSuffix(body, []byte(service)) {
				status = notServing
			}
		}
		_, _ = w.Write([]byte{0, 0, 0, 0, 2, 8, status})
		w.Header().Set("Grpc-Status", "0")
	})}
	s.Protocols.SetUnencryptedHTTP2(true)
	fmt.Fprintln(os.Stderr, s.ListenAndServe())
	return 1
}

// Answers of the health service.
const (
	serving    = 1
	notServing = 2
)

// TestGRPCProbes: a readiness and a liveness probe, each of a service of its own.
func TestGRPCProbes(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	apply(t, ns, fmt.Sprintf(`apiVersion: v1
kind: Pod
metadata: {name: health}
spec:
  terminationGracePeriodSeconds: 1
  volumes: [{name: server, hostPath: {path: %q, type: File}}]
  containers:
  - name: main
    image: %s
    imagePullPolicy: Never
    command: [/server]
    env: [{name: %s, value: ":9000"}]
    volumeMounts: [{name: server, mountPath: /server, readOnly: true}]
    readinessProbe: {periodSeconds: 1, failureThreshold: 1, grpc: {port: 9000, service: ready}}
    livenessProbe: {periodSeconds: 1, failureThreshold: 1, initialDelaySeconds: 5, grpc: {port: 9000, service: live}}
`, self, podmantest.Image, healthAt))
	readiness(t, ns, "health", v1.ConditionTrue)
	sh(t, ns, "health", ": > /tmp/ready")
	readiness(t, ns, "health", v1.ConditionFalse)
	events(t, ns, "health", `Readiness probe failed: service unhealthy (responded with "NOT_SERVING")`)
	sh(t, ns, "health", "rm /tmp/ready")
	if p := readiness(t, ns, "health", v1.ConditionTrue); p.Status.ContainerStatuses[0].RestartCount != 0 {
		t.Errorf("%+v", p.Status)
	}
	sh(t, ns, "health", ": > /tmp/live")
	await(t, ns, "health", "restarted", func(p *v1.Pod) bool {
		c := p.Status.ContainerStatuses[0]
		return c.RestartCount == 1 && c.State.Running != nil && c.Ready
	})
	events(t, ns, "health", "Liveness probe failed: service unhealthy", "Container main failed liveness probe, will be restarted")
}
