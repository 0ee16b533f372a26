//go:build linux

package volume

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	v1 "k8s.io/api/core/v1"
)

// emptyDir makes an emptyDir at path, if it is not there: what it holds outlives the
// pod's containers, and on disk a reboot too. It appears with its owner and mode, or not at all.
func (m *Manager) emptyDir(p *v1.Pod, s *v1.EmptyDirVolumeSource, path string) error {
	switch {
	case s.Medium == v1.StorageMediumDefault:
	case s.Medium == v1.StorageMediumMemory:
		return m.memoryDir(p, s, path)
	case s.Medium == v1.StorageMediumHugePages, strings.HasPrefix(string(s.Medium), string(v1.StorageMediumHugePagesPrefix)):
		return m.hugeDir(p, s, path)
	default:
		return fmt.Errorf("unknown storage medium %q", s.Medium)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	unfinished := filepath.Join(filepath.Dir(path), ".new-"+filepath.Base(path))
	if err := removeTree(unfinished); err != nil {
		return err
	}
	if err := os.Mkdir(unfinished, 0o700); err != nil {
		return err
	}
	if err := open(unfinished, p, s); err != nil {
		return err
	}
	return os.Rename(unfinished, path)
}

// open gives an emptyDir its mode: everybody may write in it.
func open(path string, p *v1.Pod, s *v1.EmptyDirVolumeSource) error {
	root, err := os.OpenRoot(path)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	mode := fs.FileMode(0o777) | fs.ModeDir
	if s.Mode != nil {
		mode = fs.FileMode(*s.Mode)&fs.ModePerm | fs.ModeDir
		if *s.Mode&0o1000 != 0 {
			mode |= fs.ModeSticky
		}
	}
	return ownershipOf(p, false).set(root, ".", mode, nil)
}

// memoryDir mounts a tmpfs at path, if none is there.
func (m *Manager) memoryDir(p *v1.Pod, s *v1.EmptyDirVolumeSource, path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	there, err := inMemory(path)
	if err != nil || there {
		return err
	}
	if err := tmpfs(path, m.memorySize(p, s), 0o777); err != nil {
		return err
	}
	return open(path, p, s)
}

// memorySize is the least of the volume's limit, what the pod's containers may use
// together, and what the node has.
func (m *Manager) memorySize(p *v1.Pod, s *v1.EmptyDirVolumeSource) int64 {
	size := int64(0)
	atMost := func(n int64) {
		if n > 0 && (size == 0 || n < size) {
			size = n
		}
	}
	if l, ok := m.Node().Allocatable[v1.ResourceMemory]; ok {
		atMost(l.Value())
	}
	if s.SizeLimit != nil {
		atMost(s.SizeLimit.Value())
	}
	total := int64(0)
	for i := range p.Spec.Containers {
		l, ok := p.Spec.Containers[i].Resources.Limits[v1.ResourceMemory]
		if !ok || l.IsZero() {
			return size // one without a limit may use all
		}
		total += l.Value()
	}
	atMost(total)
	return size
}
