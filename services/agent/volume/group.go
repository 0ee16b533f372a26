//go:build linux

package volume

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
	v1 "k8s.io/api/core/v1"
)

// deepest is how far down files are given to a group: a path is not longer than that.
const deepest = 2048

// give gives what is below dir, which a pod before this one may have written, to the pod's
// group; with the policy OnRootMismatch only if dir itself is not the group's. dir comes last: if it
// is the group's, all of it is.
func give(ctx context.Context, dir string, p *v1.Pod, readOnly bool) error {
	o := ownershipOf(p, readOnly)
	if o.group == nil {
		return nil
	}
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return err
	}
	policy := p.Spec.SecurityContext.FSGroupChangePolicy
	if policy != nil && *policy == v1.FSGroupChangeOnRootMismatch && o.fits(&st) {
		return nil
	}
	if err := (giver{ctx, o}).tree(f, 0); err != nil {
		return fmt.Errorf("applyFSGroup failed for %s: %w", dir, err)
	}
	return nil
}

// fits tells whether a directory is the group's already.
func (o ownership) fits(st *unix.Stat_t) bool {
	m := fileMode(st.Mode)
	return int64(st.Gid) == *o.group && o.mode(m) == m
}

// fileMode is what st_mode says, in Go's words.
func fileMode(mode uint32) fs.FileMode {
	m := fs.FileMode(mode & 0o777)
	for bit, is := range map[uint32]fs.FileMode{unix.S_ISUID: fs.ModeSetuid, unix.S_ISGID: fs.ModeSetgid, unix.S_ISVTX: fs.ModeSticky} {
		if mode&bit != 0 {
			m |= is
		}
	}
	if mode&unix.S_IFMT == unix.S_IFDIR {
		m |= fs.ModeDir
	}
	return m
}

// giver gives a tree of files to a group. What is swapped meanwhile leads nowhere else: each step
// is taken from an open directory, follows no link and crosses no mount.
type giver struct {
	ctx context.Context
	own ownership
}

// tree gives what is in dir, and dir.
func (g giver) tree(dir *os.File, depth int) error {
	if depth > deepest {
		return errDeep
	}
	for {
		names, err := dir.Readdirnames(512)
		for _, n := range names {
			if err := g.ctx.Err(); err != nil {
				return err
			}
			if err := g.entry(dir, n, depth); err != nil && !errors.Is(err, unix.ENOENT) {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return g.one(dir)
		}
		if err != nil {
			return err
		}
	}
}

func (g giver) entry(dir *os.File, name string, depth int) error {
	f, err := open2(dir, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, unix.RESOLVE_BENEATH|unix.RESOLVE_NO_XDEV)
	if errors.Is(err, unix.EXDEV) {
		return nil // another file system is mounted there
	}
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return g.one(f)
	}
	sub, err := open2(f, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, unix.RESOLVE_BENEATH|unix.RESOLVE_NO_XDEV)
	if err != nil {
		return err
	}
	defer func() { _ = sub.Close() }()
	return g.tree(sub, depth+1)
}

// one gives what f is open on, by name only maybe.
func (g giver) one(f *os.File) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return err
	}
	if int64(st.Gid) != *g.own.group {
		if err := unix.Fchownat(int(f.Fd()), "", -1, int(*g.own.group), unix.AT_EMPTY_PATH); err != nil {
			return &fs.PathError{Op: "chown", Path: f.Name(), Err: err}
		}
	}
	if st.Mode&unix.S_IFMT == unix.S_IFLNK {
		return nil // a link's mode means nothing
	}
	// A change of the owner takes setuid away, which is to stay.
	return chmod(f, g.own.mode(fileMode(st.Mode)))
}
