package logfile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/skerry/skerry/services/agent/sandbox"
)

// The kubelet's defaults for containerLogMaxSize and containerLogMaxFiles.
const (
	DefaultSize  = 10 << 20
	DefaultFiles = 5
)

// How often sizes are looked at: a log that grows fast is looked at more often.
const (
	slowest = 10 * time.Second
	fastest = 250 * time.Millisecond
)

// sweepEvery is how often logs of pods that are gone are looked for.
const sweepEvery = time.Minute

// Runtime has monitors begin new files.
type Runtime interface {
	// ReopenLog has the monitor of the named container open its log's path anew. It is
	// sandbox.ErrNotFound if the container does not run.
	ReopenLog(ctx context.Context, name string) error
}

// Keeper keeps the logs under a directory small and few.
type Keeper struct {
	Dir     string
	Size    int64 // of a file, at which a new one is begun
	Files   int   // of one container's run, the current one included
	Runtime Runtime
	// Wanted are the names of the sandboxes whose logs are kept; an error keeps all.
	Wanted func(ctx context.Context) (map[string]bool, error)
	Log    *slog.Logger

	swept time.Time
	sizes map[string]int64
}

// PathOf is the log of one run of a container.
func PathOf(dir string, c sandbox.ContainerSpec) string {
	return filepath.Join(dir, c.Sandbox.Name(), c.Name+"_"+strconv.Itoa(c.Attempt)+".log")
}

// Run rotates and sweeps until ctx ends.
func (k *Keeper) Run(ctx context.Context) error {
	wait := fastest
	for {
		if err := pause(ctx, wait); err != nil {
			return err
		}
		wait = k.look(ctx, wait)
		if time.Since(k.swept) < sweepEvery {
			continue
		}
		k.swept = time.Now()
		if err := k.sweep(ctx); err != nil && ctx.Err() == nil {
			k.Log.Warn("sweep logs", "error", err)
		}
	}
}

// look rotates what is too large, and says when to look again.
func (k *Keeper) look(ctx context.Context, since time.Duration) time.Duration {
	logs, err := filepath.Glob(filepath.Join(k.Dir, "*", "*.log*"))
	if err != nil {
		k.Log.Error("look at logs", "error", err)
	}
	before := k.sizes
	k.sizes = map[string]int64{}
	next := slowest
	for _, path := range logs {
		base, number, isOld := strings.Cut(path, ".log.")
		if isOld {
			k.orphan(ctx, base+".log", number)
			continue
		}
		st, err := os.Stat(path)
		if err != nil {
			continue // swept meanwhile
		}
		size := st.Size()
		if size >= k.Size {
			if err := k.rotate(ctx, path); err != nil && !errors.Is(err, sandbox.ErrNotFound) && ctx.Err() == nil {
				k.Log.Warn("rotate log", "path", path, "error", err)
			}
			next = min(next, max(fastest, since/2))
			continue
		}
		if grown := size - before[path]; grown > 0 {
			next = min(next, max(fastest, time.Duration(float64(since)*float64(k.Size-size)/float64(grown))))
		}
		k.sizes[path] = size
	}
	return next
}

// orphan has a monitor go on that was left without a file: the agent ended between
// the two steps of a rotation.
func (k *Keeper) orphan(ctx context.Context, path, number string) {
	if _, err := strconv.Atoi(number); err != nil {
		return
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err := k.Runtime.ReopenLog(ctx, containerOf(path)); err != nil && !errors.Is(err, sandbox.ErrNotFound) && ctx.Err() == nil {
		k.Log.Warn("reopen log", "path", path, "error", err)
	}
}

// containerOf is the name of the container whose log is at path.
func containerOf(path string) string {
	return filepath.Base(filepath.Dir(path)) + "_" + strings.TrimSuffix(filepath.Base(path), ".log")
}

// rotate puts the file aside, has the monitor begin a new one and removes the oldest.
func (k *Keeper) rotate(ctx context.Context, path string) error {
	olds, err := rotated(path)
	if err != nil {
		return err
	}
	number := 1
	if len(olds) > 0 {
		number = olds[len(olds)-1].number + 1
	}
	aside := path + "." + strconv.Itoa(number)
	// A link fails where a file is; a rename would replace it.
	if err := os.Link(path, aside); err != nil {
		return fmt.Errorf("put log aside: %w", err)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("put log aside: %w", err)
	}
	if err := k.Runtime.ReopenLog(ctx, containerOf(path)); err != nil {
		// Nobody writes on, or still to the same file: it stays the current one.
		if os.Link(aside, path) == nil {
			_ = os.Remove(aside)
		}
		return err
	}
	for len(olds) > k.Files-2 {
		if err := os.Remove(olds[0].path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove old log: %w", err)
		}
		olds = olds[1:]
	}
	return nil
}

// sweep removes logs of pods that are gone, and of runs before the last two.
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
		if !wanted[d.Name()] {
			errs = append(errs, os.RemoveAll(dir))
			continue
		}
		errs = append(errs, dropRuns(dir))
	}
	return errors.Join(errs...)
}

// dropRuns keeps the logs of the last two runs of each container.
func dropRuns(dir string) error {
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
