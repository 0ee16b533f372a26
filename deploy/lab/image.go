package lab

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// ImportImage makes an image of one static binary, shared by all hosts:
// localhost/<name>, with the binary as entry point and env as its environment.
func (l *Lab) ImportImage(name, binary string, env ...string) error {
	args := []string{"--root", l.imageRoot(), "--runroot", filepath.Join(l.Dir, "images-run"), "import",
		"--change", fmt.Sprintf(`ENTRYPOINT [%q]`, "/"+filepath.Base(binary))}
	for _, e := range env {
		args = append(args, "--change", "ENV "+e)
	}
	tar := exec.Command("tar", "-C", filepath.Dir(binary), "-cf", "-", filepath.Base(binary))
	podman := exec.Command("podman", append(args, "-", "localhost/"+name)...)
	podman.Env = append(os.Environ(), "CONTAINERS_CONF="+l.conf())
	var said strings.Builder
	podman.Stderr = &said
	pipe, err := tar.StdoutPipe()
	if err != nil {
		return err
	}
	podman.Stdin = pipe
	if err := tar.Start(); err != nil {
		return fmt.Errorf("import %s: %w", name, err)
	}
	if err := podman.Run(); err != nil {
		return fmt.Errorf("import %s: %w: %s", name, err, said.String())
	}
	return tar.Wait()
}

// BuildHello builds the example's image in the versions v1 and v2.
func (l *Lab) BuildHello() error {
	binary := filepath.Join(l.Dir, "hello")
	build := exec.Command("go", "build", "-o", binary, "./deploy/examples/hello")
	build.Dir = filepath.Dir(filepath.Dir(l.Binary)) // bin/skerry is in the checkout
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build hello: %w: %s", err, out)
	}
	for _, v := range []string{"v1", "v2"} {
		if err := l.ImportImage("skerry-hello:"+v, binary, "VERSION="+v); err != nil {
			return err
		}
	}
	return nil
}
