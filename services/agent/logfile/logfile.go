// Package logfile reads and rotates the log files of containers.
//
// It reads and writes files under one directory: <pod>/<container>_<attempt>.log is what
// the container's monitor writes to, in Kubernetes' log format; .log.1, .log.2 and so on
// are what it wrote before, the higher the newer. What always holds: a
// reader that follows loses no line over a rotation, however slow it is, until Keeper.Hold
// bytes wait for readers, and is told then; memory does not grow with the log, a line or
// the number of files; and the monitor is never left without a file to write to.
package logfile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Options choose what to read of a log.
type Options struct {
	Follow     bool
	Timestamps bool
	Since      time.Time // zero: from the start
	Tail       int64     // lines; negative: all
	Stream     byte      // 1 stdout, 2 stderr, 0 both
	// Alive is false once nothing will be written any more. It is asked while following.
	Alive func() bool
	// Readers is told what is still to be read while following. It may be nil.
	Readers *Readers
	// Lost is called when files were rotated away before they were read. It may be nil.
	Lost func()
}

// Read passes on the log at path, in pieces of any length, until its end or, following,
// until nothing more will be written. A log that is not there is fs.ErrNotExist.
func Read(ctx context.Context, path string, o Options, emit func(p []byte) error) error {
	var at *reader
	if o.Follow {
		at = o.Readers.join(path) // before the files are opened: none goes meanwhile
		defer at.leave()
	}
	files, err := openAll(path)
	if err != nil {
		return err
	}
	at.moved(files[len(files)-1]) // the ones before it are open
	defer func() {
		for _, f := range files {
			_ = f.Close() // read only
		}
	}()
	j := newJoiner(o, emit)
	first, offset := 0, int64(0)
	if o.Tail >= 0 {
		if j.from, err = tailStart(files, o.Tail, o.Stream); err != nil {
			return fmt.Errorf("find the end of log: %w", err)
		}
		if lowest := min(j.from[1], j.from[2]); lowest > 0 {
			first, offset = lowest.split()
		}
	}
	for i := first; i < len(files); i++ {
		if _, err := files[i].Seek(offset, io.SeekStart); err != nil {
			return fmt.Errorf("read log: %w", err)
		}
		if i == len(files)-1 && o.Follow {
			w := &follower{path: path, o: o, at: at, join: j, split: splitter{at: placeOf(i, offset)}}
			return w.run(ctx, files[i])
		}
		// No further than it is now: a busy container would never let it end.
		st, err := files[i].Stat()
		if err != nil {
			return fmt.Errorf("read log: %w", err)
		}
		s := splitter{at: placeOf(i, offset)}
		if _, err := s.pump(ctx, io.LimitReader(files[i], st.Size()-offset), j); err != nil {
			return err
		}
		if err := s.finish(j); err != nil {
			return err
		}
		offset = 0
	}
	return j.flush()
}

// old is a file that the monitor wrote to before.
type old struct {
	number int
	path   string
}

// rotated lists the former files of the log at path, the oldest first.
func rotated(path string) ([]old, error) {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list log files: %w", err)
	}
	var out []old
	for _, e := range entries {
		suffix, ok := strings.CutPrefix(e.Name(), filepath.Base(path)+".")
		if n, err := strconv.Atoi(suffix); ok && err == nil && n > 0 {
			out = append(out, old{n, filepath.Join(filepath.Dir(path), e.Name())})
		}
	}
	slices.SortFunc(out, func(a, b old) int { return cmp.Compare(a.number, b.number) })
	return out, nil
}

// openAll opens every file of the log, the oldest first.
func openAll(path string) (files []*os.File, err error) {
	defer func() {
		if err != nil {
			for _, f := range files {
				_ = f.Close()
			}
			files = nil
		}
	}()
	current, err := open(path)
	if err != nil {
		return nil, err
	}
	olds, err := rotated(path)
	if err == nil && current == nil && len(olds) == 0 {
		err = fmt.Errorf("read log %s: %w", path, fs.ErrNotExist)
	}
	if err != nil {
		return files, err
	}
	for _, o := range olds {
		f, err := open(o.path)
		if err != nil {
			return files, err
		}
		switch {
		case f == nil: // rotated away since it was listed
		case current != nil && same(f, current): // rotated since it was opened
			_ = f.Close()
		default:
			files = append(files, f)
		}
	}
	if current != nil {
		files = append(files, current)
	}
	return files, nil
}

// open returns nil for a file that is not there.
func open(path string) (*os.File, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read log: %w", err)
	}
	return f, nil
}

func same(a, b *os.File) bool {
	x, errx := a.Stat()
	y, erry := b.Stat()
	return errx == nil && erry == nil && os.SameFile(x, y)
}
