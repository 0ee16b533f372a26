package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"sync"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
)

// sample is durations.
type sample []time.Duration

func (s sample) quantile(q float64) time.Duration {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

// probe is a client that asks and writes a little while others work.
type probe struct {
	gets, news sample
	stop       func() error
}

// probeEvery is how often it does.
const probeEvery = 25 * time.Millisecond

// startProbe probes until stop, with two connections of its own.
func startProbe(ctx context.Context, c *cluster) (*probe, error) {
	asking, err := c.client(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	cm := &v1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: string(namespace), Name: "probe"}}
	made, err := asking.Create(ctx, schemas.ConfigMaps, cm)
	if err != nil {
		cancel()
		return nil, err
	}
	p, done := &probe{}, make(chan error, 2)
	var mu sync.Mutex
	written := map[string]time.Time{} // by resourceVersion
	seen := map[string]time.Time{}
	meet := func(rv string, at time.Time, mine, other map[string]time.Time) {
		mu.Lock()
		defer mu.Unlock()
		if was, ok := other[rv]; ok {
			delete(other, rv)
			p.news = append(p.news, max(at.Sub(was), was.Sub(at)))
			return
		}
		mine[rv] = at
	}
	go func() {
		o := metav1.ListOptions{ResourceVersion: made.GetResourceVersion(), FieldSelector: "metadata.name=probe"}
		done <- asking.Watch(ctx, schemas.ConfigMaps, namespace, o, func(_ string, obj schemas.Object) error {
			meet(obj.GetResourceVersion(), time.Now(), seen, written)
			return nil
		})
	}()
	go func() {
		done <- p.ask(ctx, asking, func(rv string) { meet(rv, time.Now(), written, seen) })
	}()
	p.stop = func() error {
		cancel()
		err := errors.Join(<-done, <-done)
		if errors.Is(err, context.Canceled) {
			return nil
		}
		return err
	}
	return p, nil
}

func (p *probe) ask(ctx context.Context, c *api.Client, wrote func(rv string)) error {
	ref := schemas.Ref{Resource: schemas.ConfigMaps, Namespace: namespace, Name: "probe"}
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		begun := time.Now()
		if _, err := c.Get(ctx, ref); err != nil {
			return err
		}
		p.gets = append(p.gets, time.Since(begun))
		out, err := c.Patch(ctx, ref, types.MergePatchType, fmt.Appendf(nil, `{"data":{"n":"%d"}}`, n), "")
		if err != nil {
			return err
		}
		wrote(out.GetResourceVersion())
	}
}

// listing is one `skerry get pods -A`.
type listing struct {
	first, all time.Duration
	rows       int
	memory     int64 // of the command, the most
	control    usage // of bus and control plane: processor time, memory at the end, and what it had more at most
}

// lists runs the command a few times and returns the run in the middle.
func (c *cluster) lists(ctx context.Context) (*listing, error) {
	var all []*listing
	for range 3 {
		l, err := c.list(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, l)
	}
	slices.SortFunc(all, func(a, b *listing) int { return cmp.Compare(a.all, b.all) })
	return all[len(all)/2], nil
}

// list runs the command as a person would.
func (c *cluster) list(ctx context.Context) (*listing, error) {
	cmd := exec.CommandContext(ctx, c.binary, "get", "pods", "-A", "--no-headers")
	cmd.Env, cmd.Stderr = c.env, c.log
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	before, err := c.control.usage()
	if err != nil {
		return nil, err
	}
	if err := c.control.resetPeak(); err != nil {
		return nil, err
	}
	begun, l := time.Now(), &listing{}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	command := &process{cmd: cmd}
	for lines := bufio.NewScanner(out); lines.Scan(); l.rows++ {
		if l.rows == 0 {
			l.first = time.Since(begun)
		}
		// What the kernel tells at the end is no less than what this process had when it started the command.
		if l.rows%500 == 0 {
			if u, err := command.usage(); err == nil { // it may have ended
				l.memory = max(l.memory, u.peak)
			}
		}
	}
	err = cmd.Wait()
	l.all = time.Since(begun)
	after, lost := c.control.usage()
	l.control = usage{after.cpu - before.cpu, after.rss, max(0, after.peak-before.rss)}
	return l, errors.Join(err, lost)
}
