package pod

import (
	"strings"
	"testing"
)

// TestEphemeralStorageLimit: a container that writes more than it may fails its pod.
func TestEphemeralStorageLimit(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	limit := "    resources: {limits: {ephemeral-storage: 2Mi}}"
	apply(t, ns, script("writer", "dd if=/dev/zero of=/tmp/big bs=1M count=6; sleep 1000", "", limit)+"---\n"+
		script("talker", "yes 0123456789abcdef | head -c 6000000; sleep 1000", "", limit)+"---\n"+
		script("modest", "dd if=/dev/zero of=/tmp/small bs=1M count=1; sleep 1000", "", limit))
	for _, name := range []string{"writer", "talker"} {
		// The limit of the only container is the pod's too, and that is looked at first.
		p := ended(t, ns, name)
		if p.Status.Reason != "Evicted" || p.Status.Message != "Pod ephemeral local storage usage exceeds the total limit of containers 2Mi. " {
			t.Errorf("%s: %s: %s", name, p.Status.Reason, p.Status.Message)
		}
	}
	running(t, ns, "modest")
	volume := "  volumes: [{name: v, emptyDir: {sizeLimit: 2Mi}}]"
	apply(t, ns, script("hoarder", "dd if=/dev/zero of=/v/big bs=1M count=6; sleep 1000", volume, "    volumeMounts: [{name: v, mountPath: /v}]"))
	if p := ended(t, ns, "hoarder"); p.Status.Reason != "Evicted" || p.Status.Message != `Usage of EmptyDir volume "v" exceeds the limit "2Mi". ` {
		t.Errorf("hoarder: %s: %s", p.Status.Reason, p.Status.Message)
	}
	if out := refused(t, ns, script("bad", "true", "", "    resources: {limits: {ephemeral-storage: -1}}")); !strings.Contains(out, "must be greater than or equal to 0") {
		t.Errorf("said %s", out)
	}
}
