// Package manifest finds the files that -f names and decodes what is in them.
//
// It reads files, folders and stdin. What always holds: all errors of all documents of
// all files are reported at once, and a caller gets documents only if there was none.
package manifest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/skerry/skerry/cli/failure"
	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/schemas/decode"
)

// Flags are -f and -R.
type Flags struct {
	Filename  []string `short:"f" help:"Manifest: a file, a folder, or - for stdin. May be repeated." placeholder:"FILE"`
	Recursive bool     `short:"R" help:"Descend into folders of folders."`
}

// maxSize bounds what is read of one file: more than any object may have.
const maxSize = 8 << 20

var extensions = []string{".yaml", ".yml", ".json"}

// input is one file's content.
type input struct {
	name string
	data []byte
}

func (f Flags) read(s *session.Session) ([]input, error) {
	var inputs []input
	var errs []error
	for _, name := range f.Filename {
		if strings.HasPrefix(name, "http://") || strings.HasPrefix(name, "https://") {
			errs = append(errs, failure.Usage("%s: manifests are not fetched from URLs; download it first, or pipe it into `-f -`", name))
			continue
		}
		got, err := f.readOne(s, name)
		inputs = append(inputs, got...)
		errs = append(errs, err)
	}
	return inputs, errors.Join(errs...)
}

func (f Flags) readOne(s *session.Session, name string) ([]input, error) {
	if name == "-" {
		b, err := readLimited(s.Stdin, "stdin")
		return []input{{"stdin", b}}, err
	}
	info, err := os.Stat(s.Path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the path %q does not exist", name)
	}
	if err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	if !info.IsDir() {
		return readFiles(s, []string{name})
	}
	names, err := f.walk(s, name)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("error reading %s: recognized file extensions are %v", name, extensions)
	}
	return readFiles(s, names)
}

// walk lists a folder's manifests by name, in the order of their paths.
func (f Flags) walk(s *session.Session, dir string) ([]string, error) {
	var names []string
	root := s.Path(dir)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if path != root && !f.Recursive {
				return filepath.SkipDir
			}
			return nil
		}
		if slices.Contains(extensions, filepath.Ext(path)) {
			rel, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			names = append(names, filepath.Join(dir, rel))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read folder: %w", err)
	}
	return names, nil
}

func readFiles(s *session.Session, names []string) ([]input, error) {
	var inputs []input
	var errs []error
	for _, name := range names {
		b, err := readFile(s.Path(name), name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		inputs = append(inputs, input{name, b})
	}
	return inputs, errors.Join(errs...)
}

func readFile(path, name string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	defer file.Close()
	return readLimited(file, name)
}

func readLimited(r io.Reader, name string) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxSize+1))
	if err != nil {
		return nil, fmt.Errorf("read manifest %s: %w", name, err)
	}
	if len(b) > maxSize {
		return nil, decode.Errors{{Source: name, Line: 1, Column: 1, Message: fmt.Sprintf("the file has more than the %d MiB that are read; split it into several files", maxSize>>20)}}
	}
	return b, nil
}
