package kubectl

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/skerry/skerry/deploy/lab"
	"github.com/skerry/skerry/deploy/lab/labtest"
	"github.com/skerry/skerry/services/agent/podman/podmantest"
)

var (
	rig *labtest.Rig
	// binary is kubectl, home its folder for caches.
	binary, home string
)

// conformance is the module with the programs.
const conformance = "../conformance"

// TestMain builds kubectl and makes a lab of one host with a gateway.
func TestMain(m *testing.M) {
	code := labtest.Main(m, lab.Options{Name: "kube", Subnet: 9, Hosts: 1}, func(r *labtest.Rig) error {
		rig = r
		home = filepath.Join(r.Dir, "home")
		binary = filepath.Join(r.Dir, "kubectl")
		if err := build(binary, "./kubectl"); err != nil {
			return err
		}
		if err := r.StartGateway(); err != nil {
			return err
		}
		tar, err := podmantest.ImageTar()
		if err != nil {
			return err
		}
		return r.ImportTar(strings.TrimPrefix(podmantest.Image, "localhost/"), tar, `CMD ["/bin/sh","-c","echo default command"]`)
	})
	os.Exit(code)
}

// inModule is a go command in the module of the programs, without the product's build tags.
func inModule(args ...string) *exec.Cmd {
	cmd := exec.Command("go", args...)
	cmd.Dir = conformance
	cmd.Env = append(os.Environ(), "GOFLAGS=-buildvcs=false", "CGO_ENABLED=0", "GOWORK=off")
	return cmd
}

func build(to, pkg string) error {
	// Its own version, or it takes itself for older than any server.
	const version = "-X k8s.io/component-base/version.gitVersion=v1.37.2"
	out, err := inModule("build", "-trimpath", "-ldflags", version, "-o", to, pkg).CombinedOutput()
	if err != nil {
		return fmt.Errorf("build %s: %w\n%s", pkg, err, out)
	}
	return nil
}

// result is what a run of kubectl printed and its exit code.
type result struct {
	out, err string
	code     int
}

// command is kubectl as the administrator.
func command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+rig.Kubeconfig(), "HOME="+home, "KUBE_EDITOR=")
	return cmd
}

// try runs kubectl.
func try(t testing.TB, stdin string, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*labtest.Patience)
	defer cancel()
	cmd := command(ctx, args...)
	cmd.Stdin = strings.NewReader(stdin)
	return run(t, cmd)
}

func run(t testing.TB, cmd *exec.Cmd) result {
	t.Helper()
	var out, errOut strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	r := result{out: out.String(), err: errOut.String()}
	var ended *exec.ExitError
	switch {
	case errors.As(err, &ended):
		r.code = ended.ExitCode()
	case err != nil:
		t.Fatalf("kubectl %s: %v", strings.Join(cmd.Args[1:], " "), err)
	}
	return r
}

// kubectl runs it and returns what it printed; it must succeed.
func kubectl(t testing.TB, stdin string, args ...string) string {
	t.Helper()
	r := try(t, stdin, args...)
	if r.code != 0 {
		t.Fatalf("kubectl %s: exit code %d\n%s%s", strings.Join(args, " "), r.code, r.out, r.err)
	}
	return r.out
}

// has runs kubectl in ns and checks what it prints, all of it.
func has(t testing.TB, ns, want string, args ...string) {
	t.Helper()
	if got := kubectl(t, "", append([]string{"-n", ns}, args...)...); !strings.Contains(got, want) {
		t.Errorf("kubectl %s printed\n%swant\n%s", strings.Join(args, " "), got, want)
	}
}

// fails runs kubectl in ns and checks how it fails.
func fails(t testing.TB, ns string, code int, want string, args ...string) {
	t.Helper()
	r := try(t, "", append([]string{"-n", ns}, args...)...)
	if r.code != code || !strings.Contains(r.err+r.out, want) {
		t.Errorf("kubectl %s: exit code %d, want %d\n%s%swant %s", strings.Join(args, " "), r.code, code, r.out, r.err, want)
	}
}

// file writes a manifest and returns its path.
func file(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "manifest.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// web is a Deployment of n pods that run script.
func web(name string, n int, script string) string {
	return fmt.Sprintf(`apiVersion: apps/v1
kind: Deployment
metadata: {name: %[1]s, labels: {app: %[1]s}}
spec:
  replicas: %[2]d
  selector: {matchLabels: {app: %[1]s}}
  template:
    metadata: {labels: {app: %[1]s}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: main
        image: %[3]s
        imagePullPolicy: Never
        command: [/bin/sh, -c, %[4]q]
`, name, n, podmantest.Image, script)
}

// shop is a ConfigMap and a Deployment.
func shop(n int) string {
	return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: conf, labels: {app: shop}}\ndata: {a: b}\n---\n" + web("shop", n, "echo open; sleep 1000")
}
