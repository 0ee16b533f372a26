package gateway

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/bus/metric"
	"github.com/skerry/skerry/schemas"
)

// TestUsage: the figures of those nodes and pods that the user may read.
func TestUsage(t *testing.T) {
	t.Parallel()
	const node = `{"metadata":{"name":"n1","labels":{"l":"v"}}}`
	const pod = `{"metadata":{"name":"p","namespace":"a","uid":"u"},"spec":{"nodeName":"n1"}}`
	g := start(t, backend{do: func(r *api.Request) (*api.Reply, error) {
		if r.As.User == "ann" {
			return nil, apierrors.NewForbidden(corev1.Resource(r.Resource.Plural), "", errors.New("not ann"))
		}
		item := map[string]string{"nodes": node, "pods": pod}[r.Resource.Plural]
		if r.Verb == api.VerbGet {
			return &api.Reply{Body: []byte(item)}, nil
		}
		return &api.Reply{Body: []byte(fmt.Sprintf(`{"items":[%s]}`, item))}, nil
	}})
	conn := g.bus.Conn(t, bus.NodeUser("n1"))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = metric.Serve(ctx, conn, "n1", func(_ context.Context, a metric.Ask) (*metric.Node, error) {
			f := metric.Figures{CPU: 1500, Memory: 4096}
			out := &metric.Node{Figures: f, Name: "n1", At: time.Now(), Window: 15 * time.Second}
			if a.Pods {
				containers := []metric.Container{{Figures: f, Name: "c"}}
				out.Pods = []metric.Pod{
					{Namespace: "a", Name: "p", UID: "u", Containers: containers},
					{Namespace: "a", Name: "other", UID: "x", Containers: containers},
				}
			}
			return out, nil
		})
	}()
	t.Cleanup(func() { cancel(); <-done })
	probe := g.bus.Conn(t, "probe")
	for { // until its subscription is there
		if _, silent := metric.Gather(t.Context(), probe, []schemas.NodeName{"n1"}, metric.Ask{}); len(silent) == 0 {
			break
		}
	}
	const root = "/apis/metrics.k8s.io/v1beta1"
	admin := g.admin(t)
	for path, want := range map[string]string{
		root + "/nodes":                 `"usage":{"cpu":"1500n","memory":"4Ki"}`,
		root + "/nodes/n1":              `"kind":"NodeMetrics"`,
		root + "/pods":                  `"containers":[{"name":"c","usage":{"cpu":"1500n","memory":"4Ki"}}]`,
		root + "/namespaces/a/pods/p":   `"window":"15s"`,
		root:                            `"name":"pods"`,
		"/apis":                         `"name":"metrics.k8s.io"`,
		root + "/namespaces/a/pods?x=1": `"kind":"PodMetricsList"`,
	} {
		code, body, _ := g.ask(t, admin, "GET", path, "")
		if code != 200 || !strings.Contains(body, want) || strings.Contains(body, `"other"`) {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
	ann := g.client(t, g.ca, "ann", time.Hour)
	for path, want := range map[string]int{root + "/nodes": 403, root + "/pods": 403, root + "/things": 404, "/apis/metrics.k8s.io/v1/nodes": 404, root + "/pods/p": 404} {
		if code, body, _ := g.ask(t, ann, "GET", path, ""); code != want {
			t.Errorf("%s as ann: %d %s", path, code, body)
		}
	}
	if code, _, _ := g.ask(t, admin, "POST", root+"/nodes", "{}"); code != 405 {
		t.Errorf("post: %d", code)
	}
}
