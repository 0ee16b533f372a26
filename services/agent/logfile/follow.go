package logfile

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/skerry/skerry/bus/pause"
)

// While nothing comes, the file is looked at less and less often.
const (
	minIdle = 4 * time.Millisecond
	maxIdle = 200 * time.Millisecond
	// settled is when a line that has begun is taken for a prompt rather than for a
	// line that is still being written.
	settled = 100 * time.Millisecond
)

// follower reads a log as it grows and moves from file to file with its rotation.
type follower struct {
	path  string
	o     Options
	at    *reader
	join  *joiner
	split splitter
}

// run reads from f, which the caller closes.
func (w *follower) run(ctx context.Context, f *os.File) error {
	own := false
	defer func() {
		if own {
			_ = f.Close()
		}
	}()
	idle := minIdle
	for {
		ended := w.o.Alive != nil && !w.o.Alive()
		n, err := w.split.pump(ctx, f, w.join)
		if err != nil {
			return err
		}
		if err := w.join.pass(); err != nil {
			return err
		}
		next, err := w.next(f)
		if err != nil {
			return err
		}
		switch {
		case next != nil:
			// What came between the last read and the rotation.
			if _, err = w.split.pump(ctx, f, w.join); err == nil {
				err = w.split.finish(w.join)
			}
			if own {
				_ = f.Close()
			}
			w.enter(next)
			f, own, idle = next, true, minIdle
			if err != nil {
				return err
			}
			continue
		case n > 0:
			idle = minIdle // no less: a busy log is read in gulps
		case ended:
			if err := w.split.finish(w.join); err != nil {
				return err
			}
			return w.join.flush()
		case idle >= settled:
			if err := w.join.flush(); err != nil {
				return err
			}
		}
		if err := pause.For(ctx, idle); err != nil {
			return err
		}
		idle = min(2*idle, maxIdle)
	}
}

// enter begins the next file, all of which is wanted.
func (w *follower) enter(next *os.File) {
	w.at.moved(next)
	w.join.from = [3]place{}
}

// next opens the file that comes after f; nil while f is what is written to.
func (w *follower) next(f *os.File) (*os.File, error) {
	st, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("follow log: %w", err)
	}
	if now, err := os.Stat(w.path); err == nil && os.SameFile(now, st) {
		return nil, w.truncated(f, now.Size())
	}
	for {
		olds, err := rotated(w.path)
		if err != nil {
			return nil, err
		}
		after, found := w.path, false
		for i, o := range olds {
			if oi, err := os.Stat(o.path); err == nil && os.SameFile(oi, st) {
				found = true
				if i+1 < len(olds) {
					after = olds[i+1].path
				}
				break
			}
		}
		if !found && len(olds) > 0 {
			after = olds[0].path
		}
		next, err := open(after)
		if err != nil || next == nil {
			return nil, err // the monitor has not opened the new file yet
		}
		if again, err := rotated(w.path); err != nil || len(again) > 0 && (len(olds) == 0 || again[len(again)-1] != olds[len(olds)-1]) {
			_ = next.Close() // rotated meanwhile: it may not be the one that comes next
			if err != nil {
				return nil, err
			}
			continue
		}
		if same(f, next) {
			return nil, next.Close()
		}
		if !found && w.o.Lost != nil {
			w.o.Lost()
		}
		return next, nil
	}
}

// truncated starts over in a file that somebody has cut.
func (w *follower) truncated(f *os.File, size int64) error {
	at, err := f.Seek(0, io.SeekCurrent)
	if err == nil && size < at {
		if w.o.Lost != nil {
			w.o.Lost()
		}
		w.join.from = [3]place{}
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return fmt.Errorf("follow log: %w", err)
	}
	return nil
}
