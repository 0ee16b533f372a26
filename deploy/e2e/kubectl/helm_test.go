package kubectl

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/skerry/skerry/deploy/lab/labtest"
	"github.com/skerry/skerry/services/agent/podman/podmantest"
)

// TestHelm: a release from its installation to its end, with hooks that are Pods, and one that fails.
func TestHelm(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	program := filepath.Join(t.TempDir(), "helm")
	if err := build(program, "helm.sh/helm/v4/cmd/helm"); err != nil {
		t.Fatal(err)
	}
	try := func(code int, want string, args ...string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), 2*labtest.Patience)
		defer cancel()
		cmd := exec.CommandContext(ctx, program, append([]string{"-n", ns}, args...)...)
		cmd.Env = append(os.Environ(), "KUBECONFIG="+rig.Kubeconfig(), "HOME="+home)
		if r := run(t, cmd); r.code != code || !strings.Contains(r.out+r.err, want) {
			t.Fatalf("helm %s: exit code %d, want %d\n%s%swant %s", strings.Join(args, " "), r.code, code, r.out, r.err, want)
		}
	}
	helm := func(want string, args ...string) { t.Helper(); try(0, want, args...) }
	const chart = "testdata/chart"
	values := []string{"--set", "image=" + podmantest.Image, "--wait", "--timeout", "60s"}
	helm("The page is one.", append([]string{"install", "shop", chart}, values...)...)
	has(t, ns, "revision 1\n", "logs", "shop-before")
	has(t, ns, "Succeeded", "get", "pod", "shop-after", "-o", "jsonpath={.status.phase}")
	try(1, "Error: ", "install", "shop", chart)
	try(1, "shop-test", "test", "shop")
	has(t, ns, "shop   1/1", "get", "deploy")
	rig.Eventually(t, "page", func() error { return eq(kubectl(t, "", "-n", ns, "logs", "deploy/shop"), "one\n") })
	helm("STATUS: deployed", "status", "shop")
	helm("shop", "list")
	helm("The page is two.", append([]string{"upgrade", "shop", chart, "--set", "page=two,replicas=2"}, values...)...)
	has(t, ns, "revision 2\n", "logs", "shop-before")
	has(t, ns, "two", "get", "configmap", "shop-page", "-o", "jsonpath={.data.page}")
	has(t, ns, "2", "get", "deploy", "shop", "-o", "jsonpath={.status.readyReplicas}")
	helm("it says two", "test", "shop", "--logs")
	failed := append([]string{"upgrade", "shop", chart, "--rollback-on-failure", "--set", "page=three,after=1"}, values...)
	try(1, "has been rolled back", failed...)
	has(t, ns, "two", "get", "configmap", "shop-page", "-o", "jsonpath={.data.page}")
	helm("Rollback was a success", "rollback", "shop", "1", "--wait", "--timeout", "60s")
	has(t, ns, "one", "get", "configmap", "shop-page", "-o", "jsonpath={.data.page}")
	helm("Rollback to 1", "history", "shop")
	helm("page: \"one\"", "get", "manifest", "shop")
	helm(`release "shop" uninstalled`, "uninstall", "shop", "--keep-history", "--wait", "--timeout", "60s")
	fails(t, ns, 1, "NotFound", "get", "deploy", "shop")
	fails(t, ns, 1, "NotFound", "get", "configmap", "shop-page")
	helm("STATUS: uninstalled", "status", "shop")
	helm("Rollback was a success", "rollback", "shop", "2", "--wait", "--timeout", "60s")
	has(t, ns, "two", "get", "configmap", "shop-page", "-o", "jsonpath={.data.page}")
	helm(`release "shop" uninstalled`, "uninstall", "shop", "--wait", "--timeout", "60s")
	try(1, "release: not found", "status", "shop")
}
