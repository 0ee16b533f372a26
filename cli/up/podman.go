//go:build unix

package up

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/skerry/skerry/cli/host"
	"github.com/skerry/skerry/cli/session"
)

// podman is the Podman API that the agent drives: the host's, or one of our own.
type podman struct {
	socket string
	child  *exec.Cmd
	exited chan struct{}
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
func findPodman(ctx context.Context, s *session.Session, flag string, dir dataDir, log *slog.Logger) (*podman, error) {
	socket := flag
	if socket == "" {
		socket = defaultSocket(s)
	}
	if answers(socket) {
		return &podman{socket: socket}, nil
	}
	binary, err := exec.LookPath("podman")
	if err != nil {
		return nil, fmt.Errorf("podman is not installed, and nothing answers on %s; install it, or run without a node: `skerry up --no-agent`", socket)
	}
	if flag == "" {
		socket = dir.path("podman.sock")
	}
	return startPodman(ctx, s, binary, socket, dir, log)
}

func answers(socket string) bool {
	conn, err := net.DialTimeout("unix", socket, time.Second)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

func startPodman(ctx context.Context, s *session.Session, binary, socket string, dir dataDir, log *slog.Logger) (*podman, error) {
	if err := os.MkdirAll(filepath.Dir(socket), 0o700); err != nil {
		return nil, fmt.Errorf("start podman: %w", err)
	}
	cmd := exec.Command(binary, "system", "service", "--time=0", "unix://"+socket)
	cmd.Env = os.Environ()
	conf, err := host.ContainersConf(s.Getenv, dir.path("containers.conf"))
	if err != nil {
		return nil, fmt.Errorf("start podman: %w", err)
	}
	if conf != "" {
		cmd.Env = append(cmd.Env, "CONTAINERS_CONF="+conf)
		log.Info("podman needs settings on this host", "file", conf)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	// Its own group: a Ctrl-C at the terminal must reach skerry first, which then stops Podman.
	cmd.SysProcAttr = childAttributes()
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start podman: %w", err)
	}
	p := &podman{socket: socket, child: cmd, exited: make(chan struct{})}
	go func() {
		defer close(p.exited)
		_ = cmd.Wait()
	}()
	if err := p.await(ctx); err != nil {
		p.stop()
		return nil, fmt.Errorf("start podman: %w: %s", err, strings.TrimSpace(stderr.String()))
	}
	return p, nil
}

// await waits until Podman answers on its socket.
func (p *podman) await(ctx context.Context) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(30 * time.Second)
	for !answers(p.socket) {
		select {
		case <-tick.C:
		case <-p.exited:
			return fmt.Errorf("it ended at once")
		case <-limit:
			return fmt.Errorf("nothing answers on %s", p.socket)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// stop ends a Podman service of our own. Containers are not its children; they stay.
func (p *podman) stop() {
	if p.child == nil {
		return
	}
	_ = p.child.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(10 * time.Second):
		_ = p.child.Process.Kill()
		<-p.exited
	}
}
