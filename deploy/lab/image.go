package lab

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// ImportImage makes an image of one static binary, shared by all hosts:
// localhost/<name>, with the binary as entry point and env as its environment.
func (l *Lab) ImportImage(name, binary string, env ...string) error {
	changes := []string{fmt.Sprintf(`ENTRYPOINT [%q]`, "/"+filepath.Base(binary))}
	for _, e := range env {
		changes = append(changes, "ENV "+e)
	}
	var said strings.Builder
	tar := exec.Command("tar", "-C", filepath.Dir(binary), "-cf", "-", filepath.Base(binary))
	tar.Stderr = &said
	pipe, err := tar.StdoutPipe()
	if err != nil {
		return err
	}
	if err := tar.Start(); err != nil {
		return fmt.Errorf("pack %s: %w", name, err)
	}
	err = l.ImportTar(name, pipe, changes...)
	if tarErr := tar.Wait(); err == nil && tarErr != nil {
		err = fmt.Errorf("pack %s: %w: %s", name, tarErr, said.String())
	}
	return err
}

// ImportTar makes an image of a file system, shared by all hosts: localhost/<name>.
// Changes are lines of a Containerfile.
func (l *Lab) ImportTar(name string, tar io.Reader, changes ...string) error {
	args := []string{"--root", l.imageRoot(), "--runroot", filepath.Join(l.Dir, "images-run"), "import"}
	for _, c := range changes {
		args = append(args, "--change", c)
	}
	podman := exec.Command("podman", append(args, "-", "localhost/"+name)...)
	podman.Env = append(os.Environ(), "CONTAINERS_CONF="+l.conf())
	var said strings.Builder
	podman.Stdin, podman.Stderr = tar, &said
	if err := podman.Run(); err != nil {
		return fmt.Errorf("import %s: %w: %s", name, err, said.String())
	}
	return nil
}

// BuildHello builds the example's image in the versions v1 and v2, and Fetch.
func (l *Lab) BuildHello() error {
	hello := filepath.Join(l.Dir, "hello")
	if err := errors.Join(l.build(hello, "./deploy/examples/hello"), l.build(l.Fetch(), "./deploy/setup/fetch")); err != nil {
		return err
	}
	for _, v := range []string{"v1", "v2"} {
		if err := l.ImportImage("skerry-hello:"+v, hello, "VERSION="+v); err != nil {
			return err
		}
	}
	return nil
}

// build compiles a package of the checkout that the skerry binary is in.
func (l *Lab) build(out, pkg string) error {
	cmd := exec.Command("go", "build", "-o", out, pkg)
	cmd.Dir = filepath.Dir(filepath.Dir(l.Binary))
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w: %s", pkg, err, said)
	}
	return nil
}
