package pod

import (
	"context"
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/deploy/lab/labtest"
	"github.com/skerry/skerry/schemas"
)

// host is the lab's one node.
func host(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), labtest.Patience)
	defer cancel()
	nodes, _, err := rig.Client.List(ctx, schemas.Nodes, "", metav1.ListOptions{})
	if err != nil {
		t.Fatalf("list nodes: %v", err)
	}
	return nodes[0].GetName()
}

// TestNodeTakesWhatFits: who is bound by hand to a node that has no room, or that is none of
// those it asks for, fails with the kubelet's reason; what is there is not touched.
func TestNodeTakesWhatFits(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	bound := "  nodeName: " + host(t) + "\n"
	const port = "    ports: [{containerPort: 80, hostPort: 18643}]"
	apply(t, ns, script("first", "sleep 1000", bound, port))
	before := running(t, ns, "first")
	for name, c := range map[string]struct{ spec, container, reason, message string }{
		"cpu":      {"", "    resources: {requests: {cpu: 1000}}", "OutOfcpu", "Node didn't have enough resource: cpu, requested: 1000000, used: "},
		"memory":   {"", "    resources: {requests: {memory: 100Ti}}", "OutOfmemory", "Node didn't have enough resource: memory, requested: 109951162777600, used: "},
		"disk":     {"", "    resources: {requests: {ephemeral-storage: 100Ti}}", "OutOfephemeral-storage", "Node didn't have enough resource: ephemeral-storage, requested: 109951162777600, used: "},
		"pages":    {"", "    resources: {requests: {cpu: 1m}, limits: {hugepages-2Mi: 1Ti}}", "OutOfhugepages-2Mi", "Node didn't have enough resource: hugepages-2Mi, requested: 1099511627776, used: 0, capacity: "},
		"selector": {"  nodeSelector: {zone: nowhere}", "", "NodeAffinity", "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector"},
		"port":     {"", port, "NodePorts", "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			apply(t, ns, script(name, "sleep 1000", bound+c.spec, c.container))
			p := ended(t, ns, name)
			if p.Status.Phase != v1.PodFailed || p.Status.Reason != c.reason || !strings.HasPrefix(p.Status.Message, "Pod was rejected: "+c.message) {
				t.Errorf("status %+v", p.Status)
			}
			events(t, ns, name, "Warning "+c.reason, c.message)
			if out := rig.Skerry(t, "", "get", "pod", "-n", ns, name); !strings.Contains(out, c.reason) {
				t.Errorf("get prints\n%s", out)
			}
			if is := get(t, ns, "first"); is.Status.Phase != v1.PodRunning || is.Status.ContainerStatuses[0].ContainerID != before.Status.ContainerStatuses[0].ContainerID {
				t.Errorf("the first became %+v", is.Status)
			}
		})
	}
}
