package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// home is where runs have their folders, each named after its process.
const (
	home   = "/var/tmp"
	prefix = "skerry-scale-"
)

// folder makes one for this run, and removes those of runs that were killed.
func folder() (string, error) {
	old, err := filepath.Glob(filepath.Join(home, prefix+"*"))
	if err != nil {
		return "", err
	}
	for _, dir := range old {
		text, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), prefix), "-")
		if pid, err := strconv.Atoi(text); err == nil && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			if err := os.RemoveAll(dir); err != nil {
				return "", fmt.Errorf("remove what an earlier run left: %w", err)
			}
		}
	}
	return os.MkdirTemp(home, prefix+strconv.Itoa(os.Getpid())+"-")
}

// say tells whoever waits how far the run has come.
func (o options) say(format string, args ...any) {
	if o.progress > 0 {
		fmt.Fprintf(os.Stderr, "%s  %s\n", time.Now().Format(time.TimeOnly), fmt.Sprintf(format, args...))
	}
}

// follow tells how far the pods that count knows of are and guards the disk and the memory, until the
// returned function is called. Of a cluster beyond its bounds give is told why, and its control plane is ended, which
// ends what waits for it.
func (c *cluster) follow(ctx context.Context, o options, count func() (there, up int), give func(error)) (done func()) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		every := time.Second
		if o.progress > 0 {
			every = min(every, o.progress)
		}
		tick := time.NewTicker(every)
		defer tick.Stop()
		var said time.Time
		for {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
			quiet := o
			if time.Since(said) < o.progress {
				quiet.progress = 0
			} else {
				said = time.Now()
			}
			if err := c.look(quiet, count); err != nil {
				give(err)
				_ = c.control.cmd.Process.Kill() // it may have ended
				return
			}
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}

// look tells once, and fails if a bound is passed.
func (c *cluster) look(o options, count func() (there, up int)) error {
	control, err := c.control.usage()
	if err != nil {
		return err
	}
	nodes, err := sum(c.nodes)
	if err != nil {
		return err
	}
	disk := stored(c.dir)
	there, up := count()
	o.say("%d pods, %d run; control plane %s, %.0f CPU-s; nodes %s, %.0f CPU-s; disk %s", there, up,
		mib(control.rss), control.cpu.Seconds(), mib(nodes.rss), nodes.cpu.Seconds(), mib(disk))
	if o.disk > 0 && disk > o.disk<<20 {
		return fmt.Errorf("%s are on the disk, and %d MiB may be", mib(disk), o.disk)
	}
	if all := control.rss + nodes.rss; o.memory > 0 && all > o.memory<<20 {
		return fmt.Errorf("the cluster has %s of memory, and %d MiB it may have", mib(all), o.memory)
	}
	return nil
}

// stored is how many bytes the files under dir take. Files come and go meanwhile.
func stored(dir string) (n int64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		if info, err := d.Info(); err == nil && info.Mode().IsRegular() {
			n += info.Size()
		}
		return nil
	})
	return n
}
