package house

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestCommandLineIsPortable: off Linux, where no host can be, the binary holds no service,
// and each of its packages has files for the system. That they compile there as well, which
// takes minutes to find out, is `task portable`.
func TestCommandLineIsPortable(t *testing.T) {
	for _, target := range []string{"darwin/amd64", "darwin/arm64", "windows/amd64", "windows/arm64"} {
		t.Run(target, func(t *testing.T) {
			t.Parallel()
			system, arch, _ := strings.Cut(target, "/")
			cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{.ImportPath}}", module+"cli")
			cmd.Env = append(os.Environ(), "GOOS="+system, "GOARCH="+arch)
			out, err := cmd.Output()
			if exit, ok := err.(*exec.ExitError); ok {
				t.Fatalf("%v: %s", err, exit.Stderr)
			} else if err != nil {
				t.Fatal(err)
			}
			packages := strings.Fields(string(out))
			if len(packages) < 100 {
				t.Fatalf("only %d packages: nothing is tested", len(packages))
			}
			for _, p := range packages {
				if own, ok := strings.CutPrefix(p, module); ok && under(own, "services") {
					t.Errorf("the command line needs %s, which is for Linux", own)
				}
			}
		})
	}
}
