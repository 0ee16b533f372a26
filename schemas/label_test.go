package schemas_test

import (
	"testing"

	"github.com/skerry/skerry/schemas"
)

func TestNodeMaySet(t *testing.T) {
	for key, want := range map[string]bool{
		"disk": true, "example.com/disk": true, "notkubernetes.io/x": true, "kubernetes.io/os": true, "topology.kubernetes.io/zone": true,
		"node.kubernetes.io/anything": true, "a.kubelet.kubernetes.io/b": true, "node.kubernetes.io/instance-type": true,
		"node-role.kubernetes.io/control-plane": false, "kubernetes.io/role": false, "x.k8s.io/y": false, "k8s.io/y": false,
		"node-restriction.kubernetes.io/x": false, "zone.node-restriction.kubernetes.io/x": false, "topology.kubernetes.io/rack": false,
	} {
		if got := schemas.NodeMaySet(key); got != want {
			t.Errorf("%s: %t, want %t", key, got, want)
		}
	}
}
