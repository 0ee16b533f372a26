//go:build linux

package volume

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/schemas/amount"
)

// hugeDir mounts huge pages at path, if none are there.
func (m *Manager) hugeDir(p *v1.Pod, s *v1.EmptyDirVolumeSource, path string) error {
	size, err := pageSize(p, s.Medium)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	if there, err := mounted(path, unix.HUGETLBFS_MAGIC); err != nil || there {
		return err
	}
	if err := unix.Mount("nodev", path, "hugetlbfs", unix.MS_NOSUID|unix.MS_NODEV, fmt.Sprintf("pagesize=%d", size)); err != nil {
		return fmt.Errorf("mount huge pages at %s: %w", path, err)
	}
	return open(path, p, s)
}

// pageSize is the size, in bytes, of the pages of medium: the one that it names, and that the
// pod requests, or the only one that the pod requests. Pure.
func pageSize(p *v1.Pod, medium v1.StorageMedium) (int64, error) {
	named := int64(0)
	if suffix, ok := strings.CutPrefix(string(medium), string(v1.StorageMediumHugePagesPrefix)); ok {
		if named, ok = amount.HugePage(v1.ResourceName(v1.ResourceHugePagesPrefix + suffix)); !ok {
			return 0, fmt.Errorf("medium %s: %q is no size of pages", medium, suffix)
		}
	}
	found := int64(0)
	for resource := range amount.Requests(&p.Spec) {
		size, ok := amount.HugePage(resource)
		switch {
		case !ok || named != 0 && size != named:
		case found != 0 && found != size:
			return 0, fmt.Errorf("medium: %s can't be used if container requests multiple huge page sizes", medium)
		default:
			found = size
		}
	}
	if found == 0 {
		return 0, fmt.Errorf("medium %s: hugePages storage requested, but there is no resource request for huge pages", medium)
	}
	return found, nil
}

// mounted tells whether a file system of a kind is mounted at path itself.
func mounted(path string, magic int64) (bool, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return false, &os.PathError{Op: "statfs", Path: path, Err: err}
	}
	if int64(st.Type) != magic {
		return false, nil
	}
	var here, above unix.Stat_t
	if err := errors.Join(unix.Lstat(path, &here), unix.Lstat(filepath.Dir(path), &above)); err != nil {
		return false, err
	}
	return here.Dev != above.Dev, nil
}
