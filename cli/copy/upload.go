package copy

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/skerry/skerry/bus/remote"
)

// upload copies a local path into the container.
func (e *end) upload(ctx context.Context, from string, preserve bool) error {
	local := e.s.Path(from)
	if _, err := os.Lstat(local); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s doesn't exist in local filesystem", from)
		}
		return fmt.Errorf("copy %s: %w", from, err)
	}
	to := clean(e.path)
	st, found, err := e.stat(ctx, to)
	if err != nil {
		return err
	}
	if found && st.Dir {
		to = path.Join(to, filepath.Base(local))
	}
	out, err := e.ask(ctx, remote.Copy{Path: path.Dir(to), Put: true, KeepOwner: preserve})
	if err != nil {
		return err
	}
	defer func() { _ = out.Close() }()
	p := newProgress(e.s, from+" → "+e.label(to), sizeOf(local))
	defer p.done()
	w := bufio.NewWriterSize(&writer{ctx, out}, 64<<10)
	pk := &packer{to: tar.NewWriter(w), warn: e.s.Warnf, preserve: preserve, progress: p, buf: make([]byte, 64<<10)}
	err = pk.pack(ctx, local, path.Base(to))
	if err == nil {
		err = errors.Join(pk.to.Close(), w.Flush())
	}
	if err == nil {
		err = out.CloseSend(nil)
	}
	if err != nil && !errors.Is(err, io.ErrClosedPipe) {
		_ = out.CloseSend(err)
		return fmt.Errorf("copy %s: %w", from, err)
	}
	// The other side's last word: also why it took no more.
	for {
		_, rerr := out.Recv(ctx)
		switch {
		case errors.Is(rerr, io.EOF) && err == nil:
			return nil
		case errors.Is(rerr, io.EOF):
			return fmt.Errorf("copy to %s: %w", e.label(to), err)
		case rerr != nil:
			return fmt.Errorf("copy to %s: %w", e.label(to), rerr)
		}
	}
}

// sizeOf is how many bytes of files there are below p, as well as can be told.
func sizeOf(p string) int64 {
	var n int64
	_ = filepath.WalkDir(p, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if i, err := d.Info(); err == nil {
				n += i.Size()
			}
		}
		return nil
	})
	return n
}

// packer writes local files into an archive.
type packer struct {
	to       *tar.Writer
	warn     func(format string, args ...any)
	preserve bool
	progress *progress
	buf      []byte
}

// pack writes what is at p, and below it, under name.
func (k *packer) pack(ctx context.Context, p, name string) error {
	return filepath.WalkDir(p, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		rel, err := filepath.Rel(p, file)
		if err != nil {
			return err
		}
		return k.add(file, path.Join(name, filepath.ToSlash(rel)), d)
	})
}

func (k *packer) add(file, name string, d fs.DirEntry) error {
	info, err := d.Info()
	if err != nil {
		return err
	}
	link := ""
	switch t := info.Mode().Type(); {
	case t == 0 || t == fs.ModeDir:
	case t == fs.ModeSymlink:
		if link, err = os.Readlink(file); err != nil {
			return err
		}
	default:
		k.warn("skipping %s: it is neither a file nor a directory", file)
		return nil
	}
	h, err := tar.FileInfoHeader(info, link)
	if err != nil {
		return err
	}
	h.Name = name
	if info.IsDir() {
		h.Name += "/"
	}
	h.Uname, h.Gname = "", "" // names of this machine's users say nothing there
	if !k.preserve {
		h.Uid, h.Gid = 0, 0
		h.Mode = 0o644
		if info.IsDir() || info.Mode()&0o111 != 0 {
			h.Mode = 0o755
		}
	}
	if err := k.to.WriteHeader(h); err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return nil
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	// As long as it was when the header was written: it may grow meanwhile.
	n, err := io.CopyBuffer(struct{ io.Writer }{k.to}, k.progress.reader(io.LimitReader(f, h.Size)), k.buf)
	if err == nil && n < h.Size {
		err = fmt.Errorf("%s became shorter while it was read", file)
	}
	return err
}
