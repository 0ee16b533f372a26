//go:build linux

package csi

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
	"k8s.io/apimachinery/pkg/util/version"
)

// Driver is a storage driver that has registered.
type Driver struct {
	Name     string
	endpoint string
	version  *version.Version
	socket   string // that it has registered by
}

// Registry knows the drivers of a host.
type Registry struct {
	dir string
	log *slog.Logger
	// changed is told of a driver that has come.
	changed func(driver string)
	watcher func() (*fsnotify.Watcher, error)

	mu      sync.Mutex
	drivers map[string]Driver  // by name
	sockets map[string]*socket // by path
	busy    sync.WaitGroup
	wake    chan struct{}
}

// socket is what is known of one registration socket.
type socket struct {
	made     stamp
	busy     bool // it is being asked
	done     bool // it is registered
	failures int
	next     time.Time // when it is asked again
}

// stamp tells a socket from one that took its place.
type stamp struct {
	inode uint64
	at    time.Time
}

const (
	// lookAgain is how often the directory is looked at, whatever the kernel told of it.
	lookAgain = 30 * time.Second
	// firstRetry is when a driver that failed to register is asked again; the time doubles up to lastRetry.
	firstRetry = 500 * time.Millisecond
	lastRetry  = time.Minute
	// mostSockets bounds how many drivers a host has, and deepest where they are looked for.
	mostSockets = 128
	deepest     = 3
)

// NewRegistry returns a registry of the drivers that register in dir. It does no I/O.
func NewRegistry(dir string, log *slog.Logger, changed func(driver string)) *Registry {
	return &Registry{dir: dir, log: log, changed: changed, watcher: fsnotify.NewWatcher, drivers: map[string]Driver{}, sockets: map[string]*socket{}, wake: make(chan struct{}, 1)}
}

// Driver finds a driver by name.
func (r *Registry) Driver(name string) (Driver, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	d, ok := r.drivers[name]
	if !ok {
		return d, fmt.Errorf("driver name %s not found in the list of registered CSI drivers", name)
	}
	return d, nil
}

// Run follows the directory until ctx ends.
func (r *Registry) Run(ctx context.Context) error {
	if err := os.MkdirAll(r.dir, 0o755); err != nil {
		return fmt.Errorf("make directory of drivers: %w", err)
	}
	w, err := r.watcher()
	if err != nil { // a host has only so many: one that has none left still runs pods
		r.log.Warn("watch for drivers: they are looked for now and then instead", "error", err)
		return r.follow(ctx, nil)
	}
	defer func() { _ = w.Close() }()
	return r.follow(ctx, w)
}

// follow looks for drivers when w tells of something, and now and then. Without a w it does the latter.
func (r *Registry) follow(ctx context.Context, w *fsnotify.Watcher) error {
	defer r.busy.Wait()
	var events <-chan fsnotify.Event
	var failures <-chan error
	if w != nil {
		events, failures = w.Events, w.Errors
	}
	for {
		next := r.scan(ctx, w)
		timer := time.NewTimer(next)
		select {
		case <-ctx.Done():
		case <-events:
		case err := <-failures:
			r.log.Warn("watch for drivers", "error", err) // the next look finds what was missed
		case <-r.wake:
		case <-timer.C:
		}
		timer.Stop()
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// scan compares the sockets that are there with those that are known, and says when to look again.
func (r *Registry) scan(ctx context.Context, w *fsnotify.Watcher) time.Duration {
	there, all := r.look(w)
	r.mu.Lock()
	defer r.mu.Unlock()
	for path, s := range r.sockets {
		if made, ok := there[path]; ok && made != s.made || !ok && all {
			r.dropLocked(path)
		}
	}
	next := lookAgain
	now := time.Now()
	for path, made := range there {
		s := r.sockets[path]
		if s == nil {
			s = &socket{made: made}
			r.sockets[path] = s
		}
		switch {
		case s.busy || s.done:
		case now.Before(s.next):
			next = min(next, s.next.Sub(now))
		default:
			s.busy = true
			r.busy.Go(func() { r.register(ctx, path, s) })
		}
	}
	return max(next, 10*time.Millisecond)
}

// look finds the sockets in the directory, and has its directories watched; all is false if some may have been
// left out, which says nothing of their drivers.
func (r *Registry) look(w *fsnotify.Watcher) (out map[string]stamp, all bool) {
	out = map[string]stamp{}
	err := filepath.WalkDir(r.dir, func(path string, e fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // it has just gone
		case err != nil:
			return err
		case path != r.dir && strings.HasPrefix(e.Name(), "."):
			if e.IsDir() {
				return fs.SkipDir
			}
			return nil
		case e.IsDir():
			if rel, _ := filepath.Rel(r.dir, path); strings.Count(rel, string(filepath.Separator)) >= deepest {
				return fs.SkipDir
			}
			if w == nil {
				return nil
			}
			if err := w.Add(path); err != nil { // a host has only so many watches: what is new is found later then
				r.log.Warn("watch for drivers", "dir", path, "error", err)
			}
			return nil
		}
		if made, ok := stampOf(path); ok {
			out[path] = made
		}
		if len(out) >= mostSockets {
			return fs.SkipAll
		}
		return nil
	})
	if err != nil {
		r.log.Warn("look for drivers", "dir", r.dir, "error", err)
	}
	return out, err == nil
}

// dropLocked forgets a socket and the driver behind it.
func (r *Registry) dropLocked(path string) {
	delete(r.sockets, path)
	for name, d := range r.drivers {
		if d.socket == path {
			delete(r.drivers, name)
			r.log.Info("a storage driver has gone", "driver", name)
		}
	}
}
