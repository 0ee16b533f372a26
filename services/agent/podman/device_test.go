//go:build linux

package podman_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/skerry/skerry/services/agent/podman"
	"github.com/skerry/skerry/services/agent/sandbox"
)

// TestDevices: a device by its path is in the container, and one by its CDI name brings
// what the host's CDI specification says of it.
func TestDevices(t *testing.T) {
	d, _, ctx := start(t)
	kind := fmt.Sprintf("test%d.example.com/thing", os.Getpid())
	if err := os.MkdirAll("/var/run/cdi", 0o755); err != nil {
		t.Fatal(err)
	}
	spec := filepath.Join("/var/run/cdi", strings.ReplaceAll(kind, "/", "-")+".json")
	text := fmt.Sprintf(`{"cdiVersion":"0.3.0","kind":%q,"devices":[{"name":"0","containerEdits":{"env":["THING=zeroth"]}}]}`, kind)
	if err := os.WriteFile(spec, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(spec) })
	id := launch(t, ctx, d, sandbox.ContainerSpec{Devices: []string{kind + "=0", "/dev/loop-control"}}, "echo $THING; ls -l /dev/loop-control; echo end")
	var out strings.Builder
	if err := d.Logs(ctx, id, podman.LogOptions{Follow: true, Tail: -1}, func(p []byte) error { out.Write(p); return nil }); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); !strings.Contains(got, "zeroth\n") || !strings.Contains(got, "crw") {
		t.Errorf("the container said %q", got)
	}
}
