package main

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/bus/pause"
)

const (
	// perConn is how many idle watches share one connection: fewer than the gateway allows.
	perConn = 900
	// opening is how many watches are being opened at once.
	opening = 64
	// rested is how long the idle watches are looked at, and returned how long memory has to
	// be given back.
	rested   = 20 * time.Second
	returned = time.Minute
)

// watches opens idle watches over HTTP, tells what they cost, and whether writes are answered
// as quickly beside them.
func (b *bench) watches(ctx context.Context) ([]row, error) {
	return b.inCluster(ctx, func(ctx context.Context, c *cluster, _ *api.Client) ([]row, error) {
		d, err := c.http(b.idlers/perConn + 1)
		if err != nil {
			return nil, err
		}
		defer d.close()
		if err := pause.For(ctx, 5*time.Second); err != nil {
			return nil, err
		}
		before, err := c.resident()
		if err != nil {
			return nil, err
		}
		alone, err := fanOut(ctx, d, 1, 1)
		if err != nil {
			return nil, err
		}
		lasting, leave := context.WithCancel(ctx)
		defer leave()
		begun := time.Now()
		ended, err := d.idlers(lasting, b.idlers)
		if err != nil {
			return nil, err
		}
		opened := time.Since(begun)
		rows, err := c.besides(ctx, d, b.idlers, before, opened, alone)
		if err != nil {
			return nil, err
		}
		leave()
		n := ended()
		if n > 0 {
			return nil, fmt.Errorf("%d watches ended by themselves", n)
		}
		if err := pause.For(ctx, returned); err != nil {
			return nil, err
		}
		after, err := c.resident()
		return append(rows, reference("— resident memory after they have left", megabytes(after), "before "+megabytes(before))), err
	})
}

// besides measures while n idle watches are open.
func (c *cluster) besides(ctx context.Context, d *httpDoor, n, before int, opened time.Duration, alone sample) ([]row, error) {
	pid := c.cmd.Process.Pid
	from, err := cpuTimes(pid)
	if err != nil {
		return nil, err
	}
	if err := pause.For(ctx, rested); err != nil {
		return nil, err
	}
	to, err := cpuTimes(pid)
	if err != nil {
		return nil, err
	}
	during, err := c.resident()
	if err != nil {
		return nil, err
	}
	beside, err := fanOut(ctx, d, 1, 1)
	if err != nil {
		return nil, err
	}
	return []row{
		reference(fmt.Sprintf("%d idle watches over HTTP: resident memory", n), megabytes(during), "before "+megabytes(before)),
		reference("— for each", fmt.Sprintf("%.1f KB", float64(during-before)*1024/1e3/float64(n)), ""),
		reference("— CPU time, of one core", fmt.Sprintf("%.0f %%", 100*(to[0]-from[0]).Seconds()/rested.Seconds()), "over "+rested.String()),
		reference("— opening them", rate(n, opened), ""),
		reference("— a change until its watcher has it, beside them", show(beside.quantile(0.5)), quantiles(beside)),
		reference("— the same without them", show(alone.quantile(0.5)), quantiles(alone)),
	}, nil
}

// idlers opens n watches of objects that are not there. The function that it returns waits for
// their end and tells how many had ended before ctx.
func (d *httpDoor) idlers(ctx context.Context, n int) (func() int64, error) {
	var early atomic.Int64
	var open, last errgroup.Group
	open.SetLimit(opening)
	for i := range n {
		open.Go(func() error {
			resp, err := d.open(ctx, i/perConn, http.MethodGet, fmt.Sprintf("?watch=1&allowWatchBookmarks=true&fieldSelector=metadata.name=nobody-%d", i), nil)
			if err != nil {
				return err
			}
			last.Go(func() error {
				defer resp.Body.Close()
				for one := make([]byte, 1); ; { // bookmarks
					if _, err := resp.Body.Read(one); err != nil {
						if ctx.Err() == nil {
							early.Add(1)
						}
						return nil //nolint:nilerr // counted
					}
				}
			})
			return nil
		})
	}
	if err := open.Wait(); err != nil {
		return nil, err
	}
	return func() int64 { _ = last.Wait(); return early.Load() }, nil
}

// resident is the memory of the cluster's process, in KiB.
func (c *cluster) resident() (int, error) {
	return field(fmt.Sprintf("/proc/%d/status", c.cmd.Process.Pid), "VmRSS")
}

func megabytes(kib int) string { return fmt.Sprintf("%.0f MB", float64(kib)*1024/1e6) }
