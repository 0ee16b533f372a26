//go:build linux

package up

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/skerry/skerry/cli/session"
)

// dataDir is the folder that a cluster, or a node, keeps everything in.
type dataDir string

// resolve makes the flag absolute; without one, it is the system's folder for root and
// the user's for others.
func resolve(s *session.Session, flag string) dataDir {
	if flag != "" {
		return dataDir(s.Path(flag))
	}
	if os.Geteuid() == 0 {
		return "/var/lib/skerry"
	}
	if d := s.Getenv("XDG_DATA_HOME"); d != "" {
		return dataDir(filepath.Join(d, "skerry"))
	}
	return dataDir(filepath.Join(s.Getenv("HOME"), ".local", "share", "skerry"))
}

func (d dataDir) path(name string) string { return filepath.Join(string(d), name) }

func (d dataDir) authority() string { return string(d) }
func (d dataDir) bus() string       { return d.path("bus") }
func (d dataDir) agent() string     { return d.path("agent") }
func (d dataDir) log() string       { return d.path("skerry.log") }
func (d dataDir) nodeCreds() string { return d.path("node.creds") }

// used tells whether a control plane has come up on the folder before: the kubeconfig is written when it has.
func (d dataDir) used() bool {
	_, err := os.Stat(d.kubeconfig())
	return err == nil
}

// made are the names in the folder of what up, join and Podman's own settings leave there.
var made = []string{
	"authority.json", "authority.json.*", "bus", "agent", "pki", "kubeconfig", ".kubeconfig-*", "node.json", ".node.json-*", "node.creds", ".node.creds-*",
	"podman.sock", "containers.conf", "skerry.log", "skerry.pid",
}

// clear removes what Skerry has made in the folder, and the folder if nothing else is in it: it may be
// somebody's home. It returns what is left.
func (d dataDir) clear() (left []string, err error) {
	for _, pattern := range made {
		paths, err := filepath.Glob(filepath.Join(globbed(string(d)), pattern))
		if err != nil {
			return nil, err
		}
		for _, p := range paths {
			if err := os.RemoveAll(p); err != nil {
				return nil, err
			}
		}
	}
	entries, err := os.ReadDir(string(d))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		left = append(left, e.Name())
	}
	if err != nil || len(left) > 0 {
		return left, err
	}
	return nil, os.Remove(string(d))
}

// globbed is a pattern that stands for path alone.
func globbed(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// hasAuthority tells whether a cluster's keys are here: it was started from here.
func (d dataDir) hasAuthority() bool {
	_, err := os.Stat(filepath.Join(d.authority(), "authority.json"))
	return err == nil
}

// errRunning says that a process owns the data directory.
type errRunning struct {
	dir dataDir
	pid int
}

func (e errRunning) Error() string {
	return fmt.Sprintf("skerry is already running on %s (pid %d); `skerry get nodes` shows it, `skerry down --data-dir %s` stops it", e.dir, e.pid, e.dir)
}

// lock takes the data directory for this process and notes its pid. The kernel
// releases it when the process ends, however it ends.
func (d dataDir) lock() (release func(), err error) {
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return nil, fmt.Errorf("make data directory: %w", err)
	}
	f, err := os.OpenFile(d.path("skerry.pid"), os.O_RDWR|os.O_CREATE|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock data directory: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errRunning{d, d.pid()}
		}
		return nil, fmt.Errorf("lock data directory: %w", err)
	}
	if err := f.Truncate(0); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock data directory: %w", err)
	}
	if _, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock data directory: %w", err)
	}
	return func() { f.Close() }, nil
}

// pid is the process that holds the lock, or did last; 0 if none ever did.
func (d dataDir) pid() int {
	b, err := os.ReadFile(d.path("skerry.pid"))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return 0
	}
	return pid
}

// running tells whether a process owns the data directory, and which.
func (d dataDir) running() (int, bool) {
	f, err := os.OpenFile(d.path("skerry.pid"), os.O_RDWR, 0)
	if err != nil {
		return 0, false
	}
	defer f.Close()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return d.pid(), true
	}
	return 0, false
}
