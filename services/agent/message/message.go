// Package message keeps the files that containers write their last words to
// (terminationMessagePath), one for each run.
//
// It reads and writes files under one directory: <uid>/<container>_<attempt>. Containers
// write to them too, for they are mounted into them. What always holds: no more than the
// last MaxFile bytes of a file are read; no link leads out of the directory; and a nil Box keeps nothing.
package message

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"k8s.io/apimachinery/pkg/types"
)

// The kubelet's bounds.
const (
	MaxFile  = 4096 // bytes of a file
	MaxLog   = 2048 // bytes of a log, when it stands in for the file
	MaxLines = 80   // and lines of it
)

// Box is a directory of such files.
type Box struct{ dir string }

// New returns the box at dir, which need not exist yet.
func New(dir string) *Box { return &Box{dir: dir} }

func name(container string, attempt int) string { return container + "_" + strconv.Itoa(attempt) }

// Make makes an empty file for a run and returns its path, "" of a nil Box.
func (b *Box) Make(uid types.UID, container string, attempt int) (string, error) {
	if b == nil {
		return "", nil
	}
	dir := filepath.Join(b.dir, filepath.Base(string(uid)))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make termination message file: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", fmt.Errorf("make termination message file: %w", err)
	}
	defer func() { _ = root.Close() }()
	f, err := root.OpenFile(name(container, attempt), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o666)
	if err != nil {
		return "", fmt.Errorf("make termination message file: %w", err)
	}
	// Whoever the container runs as may write; the umask has no say in it.
	if err := errors.Join(f.Chmod(0o666), f.Close()); err != nil {
		return "", fmt.Errorf("make termination message file: %w", err)
	}
	return filepath.Join(dir, name(container, attempt)), nil
}

// Read returns the end of what a run wrote, "" if there is no file.
func (b *Box) Read(uid types.UID, container string, attempt int) (string, error) {
	if b == nil {
		return "", nil
	}
	root, err := os.OpenRoot(filepath.Join(b.dir, filepath.Base(string(uid))))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read termination message: %w", err)
	}
	defer func() { _ = root.Close() }()
	info, err := root.Lstat(name(container, attempt))
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read termination message: %w", err)
	}
	f, err := root.Open(name(container, attempt))
	if err != nil {
		return "", fmt.Errorf("read termination message: %w", err)
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.NewSectionReader(f, max(info.Size()-MaxFile, 0), MaxFile))
	if err != nil {
		return "", fmt.Errorf("read termination message: %w", err)
	}
	return string(text), nil
}

// Drop removes a run's file.
func (b *Box) Drop(uid types.UID, container string, attempt int) error {
	if b == nil {
		return nil
	}
	err := os.Remove(filepath.Join(b.dir, filepath.Base(string(uid)), name(container, attempt)))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("drop termination message: %w", err)
	}
	return nil
}

// Sweep removes the files of all pods but those that are known.
func (b *Box) Sweep(known func(uid types.UID) bool) error {
	if b == nil {
		return nil
	}
	entries, err := os.ReadDir(b.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("sweep termination messages: %w", err)
	}
	var errs []error
	for _, e := range entries {
		if !known(types.UID(e.Name())) {
			errs = append(errs, os.RemoveAll(filepath.Join(b.dir, e.Name())))
		}
	}
	return errors.Join(errs...)
}
