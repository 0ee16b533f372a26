package pod

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/skerry/skerry/services/agent/csi/csitest"
)

// TestCSIVolumes: a pod gets a volume of a driver that registers on the host, as the driver's object says; without
// either it waits and says why. The manifests are those of a Kubernetes cluster.
func TestCSIVolumes(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	dir, err := os.MkdirTemp("", "csi") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	d := &csitest.Driver{Name: "scratch.example.com", Dir: dir, Registry: filepath.Join(rig.Hosts[0].AgentDir(), "plugins_registry")}
	apply(t, ns, script("drive", "id -G >/v/who; trap 'exit 0' TERM; "+sleep, `  securityContext: {runAsUser: 1000, fsGroup: 4711}
  volumes:
  - name: v
    csi:
      driver: scratch.example.com
      volumeAttributes: {size: 1Gi}
      nodePublishSecretRef: {name: key}`, `    volumeMounts:
    - {name: v, mountPath: /v}`))
	mountFailed(t, ns, "drive", "FailedMount", "driver name scratch.example.com not found in the list of registered CSI drivers")
	t.Cleanup(d.Stop)
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
	mountFailed(t, ns, "drive", "FailedMount", `volume mode "Ephemeral" not supported by driver scratch.example.com (no CSIDriver object)`)
	apply(t, ns, `apiVersion: storage.k8s.io/v1
kind: CSIDriver
metadata: {name: scratch.example.com}
spec:
  podInfoOnMount: true
  fsGroupPolicy: File
  volumeLifecycleModes: [Ephemeral]
  tokenRequests: [{audience: vault}]
---
apiVersion: v1
kind: Secret
metadata: {name: key}
stringData: {user: me}
`)
	t.Cleanup(func() { rig.Skerry(t, "", "delete", "csidriver", "scratch.example.com") })
	p := running(t, ns, "drive")
	if out := exec(t, ns, "drive", "cat", "/v/who"); !strings.Contains(out, "4711") {
		t.Errorf("the pod's groups: %q", out)
	}
	asked := d.Asked()
	got := asked[len(asked)-1]
	if c := got.VolumeContext; c["csi.storage.k8s.io/pod.namespace"] != ns || c["size"] != "1Gi" || !strings.Contains(c["csi.storage.k8s.io/serviceAccount.tokens"], `"vault":{"token":"ey`) || got.Secrets["user"] != "me" {
		t.Errorf("asked %v", got)
	}
	if out := rig.Skerry(t, "", "get", "csidrivers"); !strings.Contains(out, "Ephemeral") {
		t.Errorf("listed: %s", out)
	}
	dirOfPod := volumesOf(t, p)
	rig.Skerry(t, "", "delete", "pod", "-n", ns, "drive")
	rig.Eventually(t, "nothing is left of the volume", func() error {
		if left, _ := os.ReadDir(filepath.Join(dir, "volumes")); len(left) > 0 {
			return fmt.Errorf("left: %v", left)
		}
		return absent(dirOfPod)
	})
}
