//go:build linux

package up

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/services/agent/podman/engine"
)

// runtime is the Podman that the agent drives: the host's, or a service of our own.
type runtime struct {
	socket string
	own    *engine.Service // nil for the host's
}

// defaultSocket is where Podman's systemd unit listens.
func defaultSocket(s *session.Session) string {
	if os.Geteuid() == 0 {
		return "/run/podman/podman.sock"
	}
	return filepath.Join(s.Getenv("XDG_RUNTIME_DIR"), "podman", "podman.sock")
}

// findPodman uses the socket if something answers there, and otherwise starts
// `podman system service` as a child that ends with this process.
func findPodman(ctx context.Context, s *session.Session, flag string, dir dataDir) (*runtime, error) {
	socket := flag
	if socket == "" {
		socket = defaultSocket(s)
	}
	if engine.Answers(socket) {
		return &runtime{socket: socket}, nil
	}
	if _, err := exec.LookPath("podman"); err != nil {
		return nil, fmt.Errorf("podman is not installed, and nothing answers on %s; install it, or run without a node: `skerry up --no-agent`", socket)
	}
	if flag == "" {
		socket = dir.path("podman.sock")
	}
	o := engine.Options{Socket: socket, Conf: settings(s, dir)}
	var stderr bytes.Buffer
	own, err := engine.Start(ctx, o, &stderr)
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, strings.TrimSpace(stderr.String()))
	}
	return &runtime{socket: socket, own: own}, nil
}

// settings is where Podman's settings for this machine are written; "" if its
// administrator has written some.
func settings(s *session.Session, dir dataDir) string {
	_, err := os.Stat("/etc/containers/containers.conf")
	if s.Getenv("CONTAINERS_CONF") != "" || !errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	return dir.path("containers.conf")
}

// stop ends a service of our own. Containers are not its children; they stay.
func (r *runtime) stop() {
	if r.own != nil {
		r.own.Stop()
	}
}
