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
