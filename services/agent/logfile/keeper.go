package logfile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/skerry/skerry/bus/pause"
	"github.com/skerry/skerry/services/agent/sandbox"
)

// The kubelet's defaults for containerLogMaxSize and containerLogMaxFiles.
const (
	DefaultSize  = 10 << 20
	DefaultFiles = 5
)

// DefaultHold is how much of a node's disk slow readers may take.
const DefaultHold = 1 << 30

// How often sizes are looked at: a log that grows fast is looked at more often.
const (
	slowest = 10 * time.Second
	fastest = 250 * time.Millisecond
)

// slowMonitor is how long a monitor may take to begin a file before it is told again.
const slowMonitor = 10 * time.Second

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
	Hold    int64 // bytes of more files, of all containers, for readers that are not that far yet
	Readers *Readers
	Runtime Runtime
	// Wanted are the names of the sandboxes whose logs are kept; an error keeps all.
	Wanted func(ctx context.Context) (map[string]bool, error)
	Log    *slog.Logger

	swept time.Time
	sizes map[string]int64
	told  map[string]time.Time // when monitors were last told to begin a file
	held  int64                // what counts towards Hold, as far as the current look has come
}

// PathOf is the log of one run of a container.
func PathOf(dir string, c sandbox.ContainerSpec) string {
	return filepath.Join(dir, c.Sandbox.Name(), c.Name+"_"+strconv.Itoa(c.Attempt)+".log")
}

// Run rotates and sweeps until ctx ends.
func (k *Keeper) Run(ctx context.Context) error {
	wait := fastest
	for {
		if err := pause.For(ctx, wait); err != nil {
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
	olds := map[string]int{}
	for _, path := range logs {
		base, number, isOld := strings.Cut(path, ".log.")
		if isOld {
			olds[base+".log"]++
			k.orphan(ctx, base+".log", number)
			continue
		}
		st, err := os.Stat(path)
		if err != nil {
			continue // swept meanwhile
		}
		delete(k.told, path) // it has begun the file
		size := st.Size()
		if size >= k.Size {
			if err := k.rotate(ctx, path); err != nil && !errors.Is(err, sandbox.ErrNotFound) && ctx.Err() == nil {
				k.Log.Warn("rotate log", "path", path, "error", err)
			}
			olds[path]++
			next = min(next, max(fastest, since/2))
			continue
		}
		if grown := size - before[path]; grown > 0 {
			next = min(next, max(fastest, time.Duration(float64(since)*float64(k.Size-size)/float64(grown))))
		}
		k.sizes[path] = size
	}
	k.trimAll(olds)
	return next
}

// orphan has a monitor go on that was left without a file: the agent ended between
// the two steps of a rotation. One that was told a moment ago may only be slow: told twice, it
// would begin a file and put another one in its place, with what it has written lost.
func (k *Keeper) orphan(ctx context.Context, path, number string) {
	if _, err := strconv.Atoi(number); err != nil {
		return
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return
	}
	if told, ok := k.told[path]; ok && time.Since(told) < slowMonitor {
		return
	}
	if err := k.reopen(ctx, path); err != nil && !errors.Is(err, sandbox.ErrNotFound) && ctx.Err() == nil {
		k.Log.Warn("reopen log", "path", path, "error", err)
	}
}

// reopen tells the monitor, and notes when that was done.
func (k *Keeper) reopen(ctx context.Context, path string) error {
	maps.DeleteFunc(k.told, func(_ string, at time.Time) bool { return time.Since(at) >= slowMonitor })
	if err := k.Runtime.ReopenLog(ctx, containerOf(path)); err != nil {
		return err
	}
	if k.told == nil {
		k.told = map[string]time.Time{}
	}
	k.told[path] = time.Now()
	return nil
}

// containerOf is the name of the container whose log is at path.
func containerOf(path string) string {
	return filepath.Base(filepath.Dir(path)) + "_" + strings.TrimSuffix(filepath.Base(path), ".log")
}

// rotate puts the file aside and has the monitor begin a new one.
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
	if err := k.reopen(ctx, path); err != nil {
		// Nobody writes on, or still to the same file: it stays the current one.
		if os.Link(aside, path) == nil {
			_ = os.Remove(aside)
		}
		return err
	}
	return nil
}
