package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/bus/pause"
	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/schemas"
)

// churn is what replacing pods for a while came to.
type churn struct {
	size
	rate     int
	lasted   time.Duration
	replaced int
	starts   []time.Duration // from a pod's first sight until it ran
	memory   []usage         // of the control plane, in the course of it
	left     map[string]int  // keys of pods by prefix, after it has come to rest
	control  time.Duration   // processor time
}

// measureChurn deletes rate pods a second of a Deployment's and watches them replaced.
func measureChurn(ctx context.Context, binary string, s size, rate int, lasts time.Duration, o options) (r churn, err error) {
	r = churn{size: s, rate: rate, lasted: lasts, left: map[string]int{}}
	c, err := bring(ctx, binary, s.nodes, o)
	if err != nil {
		return r, err
	}
	defer c.remove()
	client, err := c.client(ctx)
	if err != nil {
		return r, err
	}
	watching, unwatch := context.WithCancel(ctx)
	defer unwatch()
	var mu sync.Mutex
	born := map[string]time.Time{}
	up, ending := map[string]bool{}, map[string]bool{}
	e, err := look(watching, client, func(event, name string, running bool) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case event == "ADDED":
			born[name] = time.Now()
		case event == "DELETED":
			delete(born, name)
			delete(up, name)
			delete(ending, name)
		case running && !up[name] && !ending[name]:
			up[name] = true
			r.starts = append(r.starts, time.Since(born[name]))
		}
	})
	if err != nil {
		return r, err
	}
	defer c.follow(ctx, o, e.count, e.give)()
	patience := o.wait(s.pods)
	full := e.expect("running pods", patience, all(s.pods))
	if _, err := client.Create(ctx, schemas.Deployments, deployment("big", int32(s.pods))); err != nil {
		return r, err
	}
	if _, err := full(ctx); err != nil {
		return r, err
	}
	mu.Lock()
	r.starts = nil
	mu.Unlock()
	before, err := c.control.usage()
	if err != nil {
		return r, err
	}
	if err := r.replace(ctx, c, client, func(n int) []api.Removal {
		mu.Lock()
		defer mu.Unlock()
		var out []api.Removal
		for name := range up {
			if len(out) == n {
				break
			}
			out = append(out, api.Removal{Name: schemas.Name(name)})
			delete(up, name)
			ending[name] = true
		}
		return out
	}); err != nil {
		return r, err
	}
	if _, err := e.expect("all pods again", patience, all(s.pods))(ctx); err != nil {
		return r, err
	}
	after, err := c.control.usage()
	if err != nil {
		return r, err
	}
	r.control = after.cpu - before.cpu
	return r, r.count(ctx, client)
}

// replace deletes pods every tenth of a second.
func (r *churn) replace(ctx context.Context, c *cluster, client *api.Client, pick func(int) []api.Removal) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	end := time.Now().Add(r.lasted)
	for n := 0; time.Now().Before(end); n++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		if n%10 == 0 {
			u, err := c.control.usage()
			if err != nil {
				return err
			}
			r.memory = append(r.memory, u)
		}
		gone := pick(r.rate / 10)
		if len(gone) == 0 {
			continue
		}
		briefs, err := client.DeleteMany(ctx, schemas.Pods, namespace, gone)
		if err != nil {
			return err
		}
		for _, b := range briefs {
			if b.Err() == nil {
				r.replaced++
			}
		}
	}
	return nil
}

// still is how many seconds the state has to stand still to be at rest: with much else on the machine, what waits for its turn may
// change nothing for one.
const still = 5

// count counts what is stored of pods, once that stands still.
func (r *churn) count(ctx context.Context, client *api.Client) error {
	state := store.New(client.Conn(), bus.BucketState)
	var last map[string]int
	alike := 0
	for range 60 {
		entries, _, err := state.List(ctx, "desired.pods.>", "assigned.>", "observed.*.pods.>")
		if err != nil {
			return err
		}
		now := map[string]int{}
		for _, e := range entries {
			if !e.Deleted {
				prefix, _, _ := strings.Cut(string(e.Key), ".")
				now[prefix]++
			}
		}
		if alike++; !maps.Equal(last, now) {
			alike = 0
		}
		if alike == still {
			r.left = now
			return nil
		}
		last = now
		if err := pause.For(ctx, time.Second); err != nil {
			return err
		}
	}
	return fmt.Errorf("the state does not come to rest: %v", last)
}

func (r churn) rows() []row {
	quantile := func(q float64) time.Duration {
		if len(r.starts) == 0 {
			return 0
		}
		sorted := slices.Sorted(slices.Values(r.starts))
		return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
	}
	leaked := 0
	for _, n := range r.left {
		leaked += max(n-r.pods, r.pods-n)
	}
	return []row{{
		what: fmt.Sprintf("%s, %d replaced a second for %s", r.size, r.rate, r.lasted),
		result: fmt.Sprintf("%d replaced (%.0f/s); from a pod's making to Running p50 %s, p99 %s", r.replaced, float64(r.replaced)/r.lasted.Seconds(),
			show(quantile(0.5)), show(quantile(0.99))),
		more: fmt.Sprintf("%.1f CPU-s; memory of bus and control plane in each fifth of the time %s; keys lost or left over: %d", r.control.Seconds(), r.course(), leaked),
		aim:  "p99 < 1 s, nothing lost or left, memory flat", met: quantile(0.99) < time.Second && leaked == 0 && r.flat(),
	}}
}

// fifth is the mean memory of the control plane in one of five equal parts of the time, in bytes.
func (r churn) fifth(i int) (mean int64) {
	from, to := i*len(r.memory)/5, (i+1)*len(r.memory)/5
	for _, u := range r.memory[from:to] {
		mean += u.rss / int64(to-from)
	}
	return mean
}

// course is the memory in all fifths.
func (r churn) course() string {
	parts := make([]string, 5)
	for i := range parts {
		parts[i] = strconv.FormatInt(r.fifth(i)>>20, 10)
	}
	return strings.Join(parts, ", ") + " MiB"
}

// flat is whether the memory has stopped growing: it was in the last fifth what it had been in the third, but for a tenth.
func (r churn) flat() bool { return r.fifth(4) <= r.fifth(2)*11/10 }
