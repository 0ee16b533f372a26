//go:build linux

package volume

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path"
	"slices"
	"strings"
	"time"
)

// file is one file of a volume that is made of objects.
type file struct {
	data []byte
	mode fs.FileMode
	uid  *int64 // nil: root
}

// payload is all files of such a volume, by path.
type payload map[string]file

const (
	dataLink = "..data"     // leads to the version that is shown
	dataNext = "..data_tmp" // takes its place
)

// write makes the files of dir those of want, all at once: a reader that goes through ..data
// sees the former version or this one, and one that cannot be written whole (a full
// disk) is not shown at all. The layout is the kubelet's: a directory for each version, ..data,
// and a symlink for each file at the top. It tells whether something changed.
func write(dir string, want payload, own ownership, now time.Time) (changed bool, err error) {
	for p := range want {
		if err := checkPath(p); err != nil {
			return false, err
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return false, fmt.Errorf("open volume: %w", err)
	}
	defer func() { _ = root.Close() }()
	now = now.UTC()
	version := shown(root)
	if version == "" || !same(root, version, want) {
		if version, err = newVersion(root, want, own, now); err != nil {
			return false, fmt.Errorf("write volume: %w", err)
		}
		changed = true
	}
	if err := links(root, want, own); err != nil {
		return changed, fmt.Errorf("link files of volume: %w", err)
	}
	return changed, removeOld(root, version)
}

// checkPath refuses what validation refuses too: this is where it would do harm.
func checkPath(p string) error {
	if p == "" || path.IsAbs(p) || path.Clean(p) != p || strings.HasPrefix(p, "..") || len(p) > 4096 ||
		slices.Contains(strings.Split(p, "/"), "..") {
		return fmt.Errorf("invalid path %q: must be relative, without '..', and not start with '..'", p)
	}
	return nil
}

// isVersion tells whether name is one that newVersion makes.
func isVersion(name string) bool {
	return strings.HasPrefix(name, "..2") && !strings.Contains(name, "/")
}

// shown is the version that ..data leads to; "" if there is none, or none that can be one.
func shown(root *os.Root) string {
	v, err := root.Readlink(dataLink)
	if err != nil || !isVersion(v) {
		return ""
	}
	if info, err := root.Lstat(v); err != nil || !info.IsDir() {
		return ""
	}
	return v
}

// same tells whether version holds exactly the files of want.
func same(root *os.Root, version string, want payload) bool {
	found := 0
	err := fs.WalkDir(root.FS(), version, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		f, ok := want[strings.TrimPrefix(p, version+"/")]
		if !ok || !d.Type().IsRegular() {
			return errors.New("another file")
		}
		data, err := root.ReadFile(p)
		if err != nil || !bytes.Equal(data, f.data) {
			return errors.Join(errors.New("other content"), err)
		}
		found++
		return nil
	})
	return err == nil && found == len(want)
}

// newVersion writes a directory with the files of want and has ..data lead to it.
func newVersion(root *os.Root, want payload, own ownership, now time.Time) (version string, err error) {
	name := fmt.Sprintf("..%s.%010d", now.Format("2006_01_02_15_04_05"), rand.N[int64](1e10))
	if err := root.Mkdir(name, 0o755); err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, root.RemoveAll(name))
		}
	}()
	if err := own.set(root, name, 0o755|fs.ModeDir, nil); err != nil {
		return "", err
	}
	for p, f := range want {
		if err := writeFile(root, name, p, f, own); err != nil {
			return "", err
		}
	}
	if err := root.Remove(dataNext); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if err := root.Symlink(name, dataNext); err != nil {
		return "", err
	}
	return name, root.Rename(dataNext, dataLink)
}

func writeFile(root *os.Root, version, p string, f file, own ownership) error {
	made := version
	for part := range strings.SplitSeq(path.Dir(p), "/") {
		if part == "." {
			continue
		}
		made = path.Join(made, part)
		if err := root.Mkdir(made, 0o755); errors.Is(err, fs.ErrExist) {
			continue
		} else if err != nil {
			return err
		}
		if err := own.set(root, made, 0o755|fs.ModeDir, nil); err != nil {
			return err
		}
	}
	full := path.Join(version, p)
	out, err := root.OpenFile(full, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = out.Write(f.data)
	if err := errors.Join(err, out.Close()); err != nil {
		return err
	}
	return own.set(root, full, f.mode.Perm(), f.uid)
}

// links makes the symlinks at the top, and removes those of files that are gone.
func links(root *os.Root, want payload, own ownership) error {
	top := map[string]bool{}
	for p := range want {
		first, _, _ := strings.Cut(p, "/")
		top[first] = true
	}
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := e.Name()
		to, err := root.Readlink(name)
		mine := err == nil && to == path.Join(dataLink, name)
		switch {
		case mine && top[name]:
			delete(top, name)
		case mine:
			if err := root.Remove(name); err != nil {
				return err
			}
		case top[name]:
			// In the way: a directory made for a sub-path that was not there yet, or a
			// symlink that is not this volume's.
			if err := root.RemoveAll(name); err != nil {
				return err
			}
		}
	}
	for name := range top {
		if err := root.Symlink(path.Join(dataLink, name), name); err != nil {
			return err
		}
		if own.group != nil {
			if err := root.Lchown(name, -1, int(*own.group)); err != nil {
				return err
			}
		}
	}
	return nil
}

// removeOld removes every version but one, also those that a crash left half written.
func removeOld(root *os.Root, version string) error {
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		if isVersion(e.Name()) && e.Name() != version {
			errs = append(errs, root.RemoveAll(e.Name()))
		}
	}
	return errors.Join(errs...)
}
