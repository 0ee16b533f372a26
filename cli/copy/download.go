package copy

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/skerry/skerry/bus/pause"
)

// download copies the container's path to a local one.
func (e *end) download(ctx context.Context, to string, preserve bool, retries int) error {
	from := clean(e.path)
	st, found, err := e.stat(ctx, from)
	if err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("%s: No such file or directory", e.label(from))
	}
	local := e.s.Path(to)
	if i, err := os.Stat(local); err == nil && i.IsDir() && !st.Dir {
		local = filepath.Join(local, path.Base(from))
	}
	open := e.openArchive(from)
	in, err := open(ctx, 0)
	if err != nil {
		return err
	}
	r := &resumer{ctx: ctx, open: open, tries: retries, pause: pause.For, in: in, delay: newDelay(), say: func(format string, args ...any) {
		fmt.Fprintf(e.s.Stderr, format+"\n", args...)
	}}
	defer r.Close()
	total := st.Size
	if st.Dir {
		total = 0 // not known
	}
	p := newProgress(e.s, e.label(from)+" → "+to, total)
	defer p.done()
	u := &unpacker{from: from, preserve: preserve, progress: p, buf: make([]byte, 64<<10), warn: func(format string, args ...any) {
		fmt.Fprintf(e.s.Stderr, "warning: "+format+"\n", args...)
	}}
	if err := u.unpack(r, local); err != nil {
		return fmt.Errorf("copy %s: %w", e.label(from), err)
	}
	// What follows the archive's end is filling; that it ends well counts.
	if _, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, r, u.buf); err != nil {
		return fmt.Errorf("copy %s: %w", e.label(from), err)
	}
	return nil
}

// unpacker writes the files of an archive below one local path.
type unpacker struct {
	from     string // what was asked for
	preserve bool
	progress *progress
	buf      []byte
	warn     func(format string, args ...any)

	root  *os.Root // the directory that local is in
	base  string   // its name there
	links bool     // that links are left out was said
}

// unpack reads an archive whose first entry is what was asked for: it becomes local,
// and what is below it comes below that. No path can lead out of the directory that local is in
// (by a link either: os.Root sees to that), and none out of local itself.
func (u *unpacker) unpack(r io.Reader, local string) error {
	local = filepath.Clean(local)
	root, err := os.OpenRoot(filepath.Dir(local))
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	u.root, u.base = root, filepath.Base(local)
	if u.base == "." || u.base == ".." || u.base == string(filepath.Separator) {
		inner, err := os.OpenRoot(local)
		if err != nil {
			return err
		}
		defer func() { _ = inner.Close() }()
		u.root, u.base = inner, "."
	}
	t := tar.NewReader(r)
	top := ""
	for first := true; ; first = false {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			if first {
				return errors.New("the archive is empty")
			}
			return nil
		}
		if err != nil {
			return fmt.Errorf("read archive: %w", err)
		}
		name := strings.TrimSuffix(h.Name, "/")
		if first {
			top = name
		}
		rel, ok := strings.CutPrefix(name, top)
		if !ok || rel != "" && !strings.HasPrefix(rel, "/") && top != "" && top != "." {
			return errors.New("tar contents corrupted")
		}
		if err := u.entry(t, h, strings.TrimPrefix(rel, "/")); err != nil {
			return err
		}
	}
}

// entry writes one entry to rel below the destination.
func (u *unpacker) entry(t *tar.Reader, h *tar.Header, rel string) error {
	if rel != "" && !filepath.IsLocal(filepath.FromSlash(rel)) {
		u.warn("file %q is outside target destination, skipping", h.Name)
		return nil
	}
	dest := filepath.Join(u.base, filepath.FromSlash(rel))
	mode := fs.FileMode(h.Mode).Perm()
	switch h.Typeflag {
	case tar.TypeDir:
		return u.dir(dest, mode)
	case tar.TypeReg:
		return u.file(t, dest, mode, h.Size)
	case tar.TypeSymlink, tar.TypeLink:
		if !u.links {
			u.links = true
			u.warn("skipping symlink: %q -> %q (consider packing %q by `skerry exec` with tar)", dest, h.Linkname, u.from)
			return nil
		}
		u.warn("skipping symlink: %q -> %q", dest, h.Linkname)
	default:
		u.warn("skipping %q: it is neither a file nor a directory", h.Name)
	}
	return nil
}

func (u *unpacker) dir(dest string, mode fs.FileMode) error {
	if !u.preserve {
		mode = 0o755
	}
	// Its files have to be written into it, whatever its mode is.
	return u.root.MkdirAll(dest, mode|0o700)
}

func (u *unpacker) file(t io.Reader, dest string, mode fs.FileMode, size int64) error {
	if d := filepath.Dir(dest); d != "." {
		if err := u.root.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	if !u.preserve {
		mode = 0o644 | mode&0o111
	}
	// A link that is there already is not written through.
	if i, err := u.root.Lstat(dest); err == nil && i.Mode()&fs.ModeSymlink != 0 {
		if err := u.root.Remove(dest); err != nil {
			return err
		}
	}
	f, err := u.root.OpenFile(dest, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	n, err := io.CopyBuffer(struct{ io.Writer }{f}, u.progress.reader(t), u.buf)
	if err == nil && n != size {
		err = io.ErrUnexpectedEOF
	}
	if err = errors.Join(err, f.Close()); err != nil {
		_ = u.root.Remove(dest) // half a file is worse than none
		return err
	}
	return nil
}
