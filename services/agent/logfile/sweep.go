package logfile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// trimAll removes files of the logs that may have too many: the number of rotated files of
// each is given.
func (k *Keeper) trimAll(olds map[string]int) {
	k.held = 0
	for path, n := range olds {
		if n < k.Files {
			continue
		}
		if err := k.trim(path); err != nil {
			k.Log.Warn("remove old log files", "path", path, "error", err)
		}
	}
}

// trim removes the oldest files of the log at path, but not what somebody has to read yet
// while Hold has room for it. What is given up first is the oldest, so that a reader
// notices: the file that it is in is gone.
func (k *Keeper) trim(path string) error {
	olds, err := rotated(path)
	if err != nil {
		return err
	}
	needed := k.Readers.needed(path, olds)
	full := false
	var errs []error
	for i, o := range slices.Backward(olds[:max(0, len(olds)-(k.Files-1))]) {
		if i >= needed && !full {
			st, err := os.Stat(o.path)
			if err == nil && k.held+st.Size() <= k.Hold {
				k.held += st.Size()
				continue
			}
			full = true
		}
		if err := os.Remove(o.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("remove old log: %w", err))
		}
	}
	return errors.Join(errs...)
}

// sweep removes logs of pods that are gone, and of runs before the last two, unless
// somebody follows them: such logs do not grow any more.
func (k *Keeper) sweep(ctx context.Context) error {
	wanted, err := k.Wanted(ctx)
	if err != nil {
		return err
	}
	dirs, err := os.ReadDir(k.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("list logs: %w", err)
	}
	var errs []error
	for _, d := range dirs {
		dir := filepath.Join(k.Dir, d.Name())
		switch {
		case wanted[d.Name()]:
			errs = append(errs, k.dropRuns(dir))
		case !k.Readers.reads(dir + string(filepath.Separator)):
			errs = append(errs, os.RemoveAll(dir))
		}
	}
	return errors.Join(errs...)
}

// dropRuns keeps the logs of the last two runs of each container.
func (k *Keeper) dropRuns(dir string) error {
	files, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("list logs: %w", err)
	}
	newest := map[string]int{}
	for _, f := range files {
		if name, run, ok := runOf(f.Name()); ok {
			newest[name] = max(newest[name], run)
		}
	}
	var errs []error
	for _, f := range files {
		if name, run, ok := runOf(f.Name()); ok && run < newest[name]-1 {
			log, _, _ := strings.Cut(f.Name(), ".log")
			if k.Readers.reads(filepath.Join(dir, log+".log")) {
				continue
			}
			errs = append(errs, os.Remove(filepath.Join(dir, f.Name())))
		}
	}
	return errors.Join(errs...)
}

// runOf reads a file's name: "main_3.log.2" is of run 3 of main.
func runOf(file string) (name string, run int, ok bool) {
	head, _, ok := strings.Cut(file, ".log")
	i := strings.LastIndexByte(head, '_')
	if !ok || i < 0 {
		return "", 0, false
	}
	run, err := strconv.Atoi(head[i+1:])
	return head[:i], run, err == nil
}
