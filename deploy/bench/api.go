package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus/api"
)

const (
	// watchedName is the object whose changes go to all watchers.
	watchedName = "watched"
	watched     = "metadata.name=" + watchedName
	// changes is how many of them there are.
	changes = 200
	// most is the greatest number of clients; the most watchers are ten for each.
	most = 50
)

// doors measures the same requests over the bus and over HTTP, with 1, 10 and 50 clients.
func (b *bench) doors(ctx context.Context) ([]row, error) {
	return b.inCluster(ctx, func(ctx context.Context, c *cluster, _ *api.Client) ([]row, error) {
		resident := func() (string, error) {
			rss, err := field(fmt.Sprintf("/proc/%d/status", c.cmd.Process.Pid), "VmRSS")
			return fmt.Sprintf("%.0f MB", float64(rss)*1024/1e6), err
		}
		before, err := resident()
		if err != nil {
			return nil, err
		}
		rows := []row{reference("Resident memory before there was a client", before, "")}
		for _, n := range []int{1, 10, most} {
			over := busDoor{}
			for range n {
				client, err := c.client(ctx)
				if err != nil {
					return nil, err
				}
				over.clients = append(over.clients, client)
			}
			web, err := c.http(n)
			if err != nil {
				return nil, err
			}
			for _, d := range []struct {
				name string
				door door
			}{{"bus", over}, {"HTTP", web}} {
				got, err := b.through(ctx, d.name, d.door, n)
				if err != nil {
					return nil, fmt.Errorf("over %s with %d clients: %w", d.name, n, err)
				}
				rows = append(rows, got...)
			}
			web.close()
		}
		after, err := resident()
		return append(rows, reference("Resident memory afterwards", after, "")), err
	})
}

// body is a ConfigMap of 1 KiB, another one for each number n.
func body(name string, n int64) ([]byte, error) {
	return json.Marshal(&v1.ConfigMap{
		TypeMeta:   metav1.TypeMeta{Kind: "ConfigMap", APIVersion: "v1"},
		ObjectMeta: metav1.ObjectMeta{Namespace: string(namespace), Name: name}, Data: map[string]string{"data": fmt.Sprintf("%01024d", n)},
	})
}

// through has n clients do each kind of request for a while.
func (b *bench) through(ctx context.Context, way string, d door, n int) ([]row, error) {
	made := make([]int, n)
	name := func(k, i int) string { return fmt.Sprintf("%s%d-%d-%d", strings.ToLower(way), n, k, i) }
	with := func(f func(context.Context, int, string, []byte) error, k int, name string, n int) error {
		data, err := body(name, int64(n))
		if err != nil {
			return err
		}
		return f(ctx, k, name, data)
	}
	ops := []struct {
		what string
		do   func(ctx context.Context, k, i int) error
	}{
		{"create", func(_ context.Context, k, i int) error {
			made[k] = i + 1
			return with(d.create, k, name(k, i), 0)
		}},
		{"get", func(ctx context.Context, k, i int) error { return d.get(ctx, k, name(k, i%made[k])) }},
		{"update", func(_ context.Context, k, i int) error { return with(d.update, k, name(k, i%made[k]), i+1) }},
		{fmt.Sprintf("list, %d on a page", listLimit), func(ctx context.Context, k, _ int) error { return d.list(ctx, k) }},
	}
	var rows []row
	for _, op := range ops {
		begun := time.Now()
		s, err := crowd(ctx, n, begun.Add(b.writing/4), op.do)
		if err != nil {
			return nil, err
		}
		rows = append(rows, reference(fmt.Sprintf("%s, %s, %d clients", op.what, way, n), rate(len(s), time.Since(begun)), quantiles(s)))
	}
	watchers := []int{n}
	if n == most {
		watchers = append(watchers, 10*most)
	}
	for _, w := range watchers {
		s, err := fanOut(ctx, d, n, w)
		if err != nil {
			return nil, err
		}
		rows = append(rows, reference(fmt.Sprintf("a change until %d watchers have it, %s", w, way), show(s.quantile(0.5)), quantiles(s)))
	}
	return rows, nil
}

// fanOut changes one object again and again, each time until all n watchers know, which
// share the clients.
func fanOut(ctx context.Context, d door, clients, n int) (sample, error) {
	data, err := body(watchedName, 0)
	if err != nil {
		return nil, err
	}
	if err := d.create(ctx, 0, watchedName, data); err != nil && !strings.Contains(err.Error(), "already exists") {
		return nil, err
	}
	watching, cancel := context.WithCancel(ctx)
	g, watching := errgroup.WithContext(watching)
	began, events := make(chan struct{}, n), make(chan struct{}, n)
	for k := range n {
		g.Go(func() error {
			return d.watch(watching, k%clients, func() { began <- struct{}{} }, func() { events <- struct{}{} })
		})
	}
	s, err := change(watching, d, n, began, events)
	cancel()
	if werr := g.Wait(); werr != nil {
		return nil, werr
	}
	return s, err
}

func change(ctx context.Context, d door, n int, began, events <-chan struct{}) (s sample, err error) {
	all := func(c <-chan struct{}) error {
		for range n {
			select {
			case <-c:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	}
	if err := all(began); err != nil {
		return nil, err
	}
	for range changes {
		data, err := body(watchedName, time.Now().UnixNano())
		if err != nil {
			return nil, err
		}
		begun := time.Now()
		if err := d.update(ctx, 0, watchedName, data); err != nil {
			return nil, err
		}
		if err := all(events); err != nil {
			return nil, err
		}
		s = append(s, time.Since(begun))
	}
	return s, nil
}
