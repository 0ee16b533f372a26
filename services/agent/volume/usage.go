//go:build linux

package volume

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
	v1 "k8s.io/api/core/v1"
)

// Usage is how many bytes and files one emptyDir holds.
type Usage struct {
	Volume string
	Bytes  int64
	Inodes int64 // 0 for one in memory
	// Limit is its sizeLimit; 0 means none.
	Limit int64
	// Memory is true for one in memory, where the kernel holds it to its limit.
	Memory bool
}

// Usage measures p's emptyDirs: one in memory by asking the kernel, one on disk by walking it.
// What cannot be measured is left out and reported beside the others.
func (m *Manager) Usage(p *v1.Pod) ([]Usage, error) {
	var out []Usage
	var errs []error
	for i := range p.Spec.Volumes {
		v := &p.Spec.Volumes[i]
		if v.EmptyDir == nil {
			continue
		}
		u := Usage{Volume: v.Name, Memory: v.EmptyDir.Medium == v1.StorageMediumMemory}
		if l := v.EmptyDir.SizeLimit; l != nil {
			u.Limit = l.Value()
		}
		var err error
		path := m.path(p.UID, kindEmpty, v.Name)
		if u.Memory {
			u.Bytes, err = usedInMemory(path)
		} else {
			u.Bytes, u.Inodes, err = usedOnDisk(path)
		}
		if errors.Is(err, os.ErrNotExist) {
			continue // not made yet
		}
		if errors.Is(err, errDeep) && u.Limit > 0 {
			u.Bytes, err = max(u.Bytes, u.Limit+1), nil // nobody gets round a limit by hiding
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("measure volume %s: %w", v.Name, err))
			continue
		}
		out = append(out, u)
	}
	return out, errors.Join(errs...)
}

func usedInMemory(path string) (int64, error) {
	if there, err := inMemory(path); err != nil || !there {
		return 0, err
	}
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return 0, err
	}
	return int64(st.Blocks-st.Bfree) * st.Bsize, nil
}

// usedOnDisk adds up the blocks of what is below path, files with several names once.
func usedOnDisk(path string) (bytes, inodes int64, err error) {
	dir, err := os.Open(path)
	if err != nil {
		return 0, 0, err
	}
	w := walker{linked: map[uint64]bool{}, inodes: 1}
	err = w.add(dir, 0)
	return w.total, w.inodes, err
}

type walker struct {
	total  int64
	inodes int64
	linked map[uint64]bool // inodes with several names
}

// errDeep is about directories that lie deeper than any path leads. Each level takes an open file while it is
// measured, and all that the agent has is not a container's to take.
var errDeep = errors.New("its directories are too deep")

// add adds what is in dir, and closes it. Entries that vanish meanwhile do not count.
func (w *walker) add(dir *os.File, depth int) error {
	defer func() { _ = dir.Close() }()
	if depth > deepest {
		return errDeep
	}
	for {
		names, err := dir.Readdirnames(512)
		for _, n := range names {
			if err := w.entry(dir, n, depth); err != nil && !errors.Is(err, unix.ENOENT) {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (w *walker) entry(dir *os.File, name string, depth int) error {
	var st unix.Stat_t
	if err := unix.Fstatat(int(dir.Fd()), name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	isDir := st.Mode&unix.S_IFMT == unix.S_IFDIR
	if !isDir && st.Nlink > 1 {
		if w.linked[st.Ino] {
			return nil
		}
		w.linked[st.Ino] = true
	}
	w.total += st.Blocks * 512
	w.inodes++
	if !isDir {
		return nil
	}
	sub, err := open2(dir, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, unix.RESOLVE_BENEATH|unix.RESOLVE_NO_SYMLINKS|unix.RESOLVE_NO_XDEV)
	if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.EXDEV) {
		return nil // it became something else, or another file system is mounted there
	}
	if err != nil {
		return err
	}
	return w.add(sub, depth+1)
}
