package resolver

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/services/agent/sandbox"
)

// Files keeps the files of all pods. Safe for concurrent use.
type Files struct {
	// Dir has a directory for each pod's uid.
	Dir     string
	Cluster Cluster
	// Hosts, Resolv and Upstream are the host's files: /etc/hosts, /etc/resolv.conf, and
	// what takes the place of the latter if that names a server on the loopback only.
	Hosts, Resolv, Upstream string

	mu sync.Mutex
}

// The host's files, where Linux and systemd have them.
const (
	HostsFile    = "/etc/hosts"
	ResolvFile   = "/etc/resolv.conf"
	UpstreamFile = "/run/systemd/resolve/resolv.conf"
)

// maxFile is the most bytes that are read of a file of the host's.
const maxFile = 1 << 20

// Mounts makes files that are not there yet, empty, and returns how to mount them. What
// the container mounts itself in their place is left to it.
func (f *Files) Mounts(p *v1.Pod, c *v1.Container) ([]sandbox.Mount, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	dir, err := f.make(p.UID)
	if err != nil {
		return nil, err
	}
	var out []sandbox.Mount
	for name, target := range map[string]string{"hosts": HostsFile, "resolv.conf": ResolvFile} {
		if mounts(c, target) {
			continue
		}
		file, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			return nil, fmt.Errorf("make pod's %s: %w", target, err)
		}
		if err := file.Close(); err != nil {
			return nil, fmt.Errorf("make pod's %s: %w", target, err)
		}
		out = append(out, sandbox.Mount{Source: file.Name(), Target: target})
	}
	return out, nil
}

func mounts(c *v1.Container, target string) bool {
	for _, m := range c.VolumeMounts {
		if filepath.Clean(m.MountPath) == target {
			return true
		}
	}
	return false
}

// Write writes the pod's files, for these addresses of it.
func (f *Files) Write(p *v1.Pod, n Names, ips []string) ([]Warning, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	dir, err := f.make(p.UID)
	if err != nil {
		return nil, err
	}
	var own []byte
	if p.Spec.HostNetwork {
		if own, err = read(f.Hosts); err != nil {
			return nil, err
		}
	}
	host, err := f.host(p.Spec.HostNetwork)
	if err != nil {
		return nil, err
	}
	text, warnings := resolv(p, host, f.Cluster)
	return warnings, errors.Join(
		put(filepath.Join(dir, "hosts"), hosts(p, n, ips, own)),
		put(filepath.Join(dir, "resolv.conf"), text),
	)
}

// host reads how the host resolves names.
func (f *Files) host(sameNetwork bool) (conf, error) {
	text, err := read(f.Resolv)
	if err != nil {
		return conf{}, err
	}
	c := parse(text)
	if sameNetwork || !c.local() {
		return c, nil
	}
	if text, err = read(f.Upstream); err != nil || len(text) == 0 {
		return c, err
	}
	return parse(text), nil
}

// Remove removes the files of a pod that is gone.
func (f *Files) Remove(uid types.UID) error {
	dir, err := f.path(uid)
	if err != nil {
		return nil // it never had any
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return os.RemoveAll(dir)
}

// Sweep removes the files of all pods but those that are wanted: an agent that ended
// at a bad time leaves some.
func (f *Files) Sweep(wanted func(types.UID) bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	entries, err := os.ReadDir(f.Dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	errs := []error{err}
	for _, e := range entries {
		if !wanted(types.UID(e.Name())) {
			errs = append(errs, os.RemoveAll(filepath.Join(f.Dir, e.Name())))
		}
	}
	return errors.Join(errs...)
}

func (f *Files) make(uid types.UID) (string, error) {
	dir, err := f.path(uid)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("make directory of pod's files: %w", err)
	}
	return dir, nil
}

// path is the pod's directory; a uid comes from the bus and is not trusted to be a name.
func (f *Files) path(uid types.UID) (string, error) {
	if uid == "" || strings.ContainsAny(string(uid), "/\x00") || uid[0] == '.' {
		return "", fmt.Errorf("pod uid %q is no name of a directory", uid)
	}
	return filepath.Join(f.Dir, string(uid)), nil
}

// read reads a file of the host's; one that is not there is empty.
func read(path string) ([]byte, error) {
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, maxFile))
}

// put replaces a file by one with other content: containers see the old one or the new one.
func put(path string, text []byte) error {
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, text) {
		return nil
	}
	next := path + ".next"
	if err := os.WriteFile(next, text, 0o644); err != nil {
		return fmt.Errorf("write pod's file: %w", err)
	}
	if err := os.Rename(next, path); err != nil {
		return fmt.Errorf("write pod's file: %w", err)
	}
	return nil
}
