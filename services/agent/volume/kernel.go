//go:build linux

package volume

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// errOutside says that a path leads out of its volume.
var errOutside = errors.New("it leads out of the volume")

// beneath opens path below dir for use as a name only (O_PATH). Symlinks are followed by the
// kernel as long as they stay below dir; whatever is swapped meanwhile, the result is below it.
func beneath(dir *os.File, path string) (*os.File, error) {
	f, err := open2(dir, path, unix.O_PATH|unix.O_CLOEXEC, unix.RESOLVE_BENEATH|unix.RESOLVE_NO_MAGICLINKS)
	if errors.Is(err, unix.EXDEV) || errors.Is(err, unix.ELOOP) {
		return nil, fmt.Errorf("open %q: %w", path, errOutside)
	}
	return f, err
}

// attempts bounds how often an open is repeated that raced with a rename in the volume.
const attempts = 64

func open2(dir *os.File, path string, flags, resolve uint64) (*os.File, error) {
	var err error
	for range attempts {
		var fd int
		fd, err = unix.Openat2(int(dir.Fd()), path, &unix.OpenHow{Flags: flags, Resolve: resolve})
		if err == nil {
			return os.NewFile(uintptr(fd), path), nil
		}
		if !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) {
			break
		}
	}
	return nil, &fs.PathError{Op: "openat2", Path: path, Err: err}
}

// makeBeneath makes the directories of path below dir that are not there, with mode,
// and opens the last.
func makeBeneath(dir *os.File, path string, mode fs.FileMode) (*os.File, error) {
	f, err := beneath(dir, path)
	if !errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	at, err := beneath(dir, ".")
	if err != nil {
		return nil, err
	}
	done := ""
	for part := range strings.SplitSeq(filepath.Clean(path), "/") {
		done = filepath.Join(done, part)
		next, err := beneath(dir, done)
		if errors.Is(err, fs.ErrNotExist) {
			next, err = makeDir(at, part, mode)
		}
		_ = at.Close()
		if err != nil {
			return nil, err
		}
		at = next
	}
	return at, nil
}

// makeDir makes one directory in at. What another made in its place meanwhile is not followed.
func makeDir(at *os.File, name string, mode fs.FileMode) (*os.File, error) {
	err := unix.Mkdirat(int(at.Fd()), name, 0o700)
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return nil, &fs.PathError{Op: "mkdirat", Path: name, Err: err}
	}
	f, openErr := open2(at, name, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, unix.RESOLVE_BENEATH|unix.RESOLVE_NO_SYMLINKS)
	if openErr != nil {
		return nil, openErr
	}
	if err != nil {
		return f, nil // it was there
	}
	if err := chmod(f, mode); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// chmod changes the mode of an open file, of one opened as a name only too.
func chmod(f *os.File, mode fs.FileMode) error {
	return os.Chmod(fmt.Sprintf("/proc/self/fd/%d", f.Fd()), mode)
}

// tmpfs mounts a file system in memory; size 0 is the kernel's default, half of the memory.
func tmpfs(target string, size int64, mode fs.FileMode) error {
	options := fmt.Sprintf("mode=%04o", mode.Perm())
	if size > 0 {
		options += fmt.Sprintf(",size=%d", size)
	}
	const flags = unix.MS_NOSUID | unix.MS_NODEV
	// Secrets are not written to a swap device, where the kernel (6.4 on) can see to it.
	err := unix.Mount("tmpfs", target, "tmpfs", flags, options+",noswap")
	if errors.Is(err, unix.EINVAL) {
		err = unix.Mount("tmpfs", target, "tmpfs", flags, options)
	}
	if err != nil {
		return fmt.Errorf("mount tmpfs at %s: %w", target, err)
	}
	return nil
}

// inMemory tells whether path itself is a mounted tmpfs.
func inMemory(path string) (bool, error) { return mounted(path, unix.TMPFS_MAGIC) }
