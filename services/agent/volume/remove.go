//go:build linux

package volume

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// removeTree removes path and what is below it. It follows no symlink and crosses no
// mount: what is mounted there by mistake is an error, and stays.
func removeTree(path string) error {
	parent, err := os.Open(filepath.Dir(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = parent.Close() }()
	return (&remover{}).at(parent, filepath.Base(path), 0)
}

// shallow is how far down directories are removed where they are: each level has a file open, of which the
// agent has only so many. What a container made deeper is moved up first.
const shallow = 256

// remover removes one tree.
type remover struct {
	top  *os.File // the tree's own directory, while it is open
	next int      // number of the next that is moved up
}

func (r *remover) at(parent *os.File, name string, depth int) error {
	err := unix.Unlinkat(int(parent.Fd()), name, 0)
	if err == nil || errors.Is(err, unix.ENOENT) {
		return nil
	}
	if !errors.Is(err, unix.EISDIR) && !errors.Is(err, unix.EPERM) {
		return &fs.PathError{Op: "remove", Path: name, Err: err}
	}
	if depth > shallow {
		return r.lift(parent, name)
	}
	dir, err := open2(parent, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, unix.RESOLVE_BENEATH|unix.RESOLVE_NO_SYMLINKS|unix.RESOLVE_NO_XDEV)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }()
	if depth == 0 {
		r.top = dir
	}
	for {
		names, err := dir.Readdirnames(512)
		for _, n := range names {
			if err := r.at(dir, n, depth+1); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) || len(names) == 0 {
			break
		}
		if err != nil {
			return err
		}
		if _, err := dir.Seek(0, io.SeekStart); err != nil {
			return err
		}
	}
	if err := unix.Unlinkat(int(parent.Fd()), name, unix.AT_REMOVEDIR); err != nil && !errors.Is(err, unix.ENOENT) {
		return &fs.PathError{Op: "remove", Path: name, Err: err}
	}
	return nil
}

// lift moves a directory to the top of the tree, whose names are read again until there are none.
func (r *remover) lift(dir *os.File, name string) error {
	for {
		to := fmt.Sprintf(".deep-%d", r.next)
		r.next++
		err := unix.Renameat2(int(dir.Fd()), name, int(r.top.Fd()), to, unix.RENAME_NOREPLACE)
		switch {
		case err == nil || errors.Is(err, unix.ENOENT):
			return nil
		case !errors.Is(err, unix.EEXIST): // a container can have chosen that name
			return &fs.PathError{Op: "move", Path: name, Err: err}
		}
	}
}
