package eviction

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"
)

// fileSystem is how full the file system of a path is.
type fileSystem struct {
	device        uint64
	bytes, inodes Level
}

func statFS(path string) (fileSystem, error) {
	var out fileSystem
	var st syscall.Statfs_t
	if err := syscall.Statfs(path, &st); err != nil {
		return out, fmt.Errorf("look at the file system of %s: %w", path, err)
	}
	var file syscall.Stat_t
	if err := syscall.Stat(path, &file); err != nil {
		return out, fmt.Errorf("look at %s: %w", path, err)
	}
	out.device = uint64(file.Dev)
	out.bytes = Level{Available: int64(st.Bavail) * int64(st.Bsize), Capacity: int64(st.Blocks) * int64(st.Bsize)}
	out.inodes = Level{Available: int64(st.Ffree), Capacity: int64(st.Files)}
	return out, nil
}

// Space is room on a file system.
type Space struct{ Bytes, Inodes int64 }

func (s *Space) add(o Space) {
	s.Bytes += o.Bytes
	s.Inodes += o.Inodes
}

// of is what of s a signal is about: bytes, or inodes.
func (s Space) of(signal Signal) int64 {
	if meanings[signal].resource == inodes {
		return s.Inodes
	}
	return s.Bytes
}

// size adds up the blocks and files of what is below dir, on its own file system and without
// following links; files with several names count once. What vanishes meanwhile is left out.
func size(ctx context.Context, dir string) (Space, error) {
	var total Space
	var device uint64
	linked := map[uint64]bool{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return skip(d)
		}
		info, err := d.Info()
		if err != nil {
			return skip(d)
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return nil
		}
		if path == dir {
			device = uint64(st.Dev)
		}
		if uint64(st.Dev) != device {
			return skip(d)
		}
		if !d.IsDir() && st.Nlink > 1 {
			if linked[st.Ino] {
				return nil
			}
			linked[st.Ino] = true
		}
		total.add(Space{st.Blocks * 512, 1})
		return nil
	})
	return total, err
}

func skip(d fs.DirEntry) error {
	if d != nil && d.IsDir() {
		return fs.SkipDir
	}
	return nil
}

// logSize adds up a container's logs: of all its runs, rotated ones too.
func logSize(dir, container string) Space {
	var total Space
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error { // what is not there is empty
		if err != nil || d.IsDir() || !strings.HasPrefix(d.Name(), container+"_") {
			return nil
		}
		if info, err := d.Info(); err == nil {
			if st, ok := info.Sys().(*syscall.Stat_t); ok {
				total.add(Space{st.Blocks * 512, 1})
			}
		}
		return nil
	})
	return total
}
