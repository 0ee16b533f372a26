package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
)

// write measures creates and gets of ConfigMaps of 1 KiB over the bus. Each client
// has a connection of its own and does one request at a time.
func (b *bench) write(ctx context.Context) ([]row, error) {
	return b.inCluster(ctx, func(ctx context.Context, c *cluster, _ *api.Client) ([]row, error) {
		sync, err := syncs(c.m.path("sync"), 300)
		if err != nil {
			return nil, err
		}
		rows := []row{reference("1 KiB appended and synced to a file, no Skerry", rate(len(sync), sum(sync)), quantiles(sync))}
		for _, n := range []int{1, 50} {
			var clients []*api.Client
			for range n {
				client, err := c.client(ctx)
				if err != nil {
					return nil, err
				}
				clients = append(clients, client)
			}
			got, err := b.load(ctx, clients)
			if err != nil {
				return nil, err
			}
			rows = append(rows, got...)
		}
		return rows, nil
	})
}

// load has the clients create for a while, then get what they created.
func (b *bench) load(ctx context.Context, clients []*api.Client) ([]row, error) {
	who := fmt.Sprintf("%d clients", len(clients))
	if len(clients) == 1 {
		who = "1 client"
	}
	data := map[string]string{"data": strings.Repeat("x", 1024)}
	made := make([]int, len(clients)) // by each client
	name := func(client, i int) string { return fmt.Sprintf("load%d-%d-%d", len(clients), client, i) }
	create := func(ctx context.Context, k, i int) error {
		cm := &v1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: string(namespace), Name: name(k, i)}, Data: data}
		_, err := clients[k].Create(ctx, schemas.ConfigMaps, cm)
		made[k] = i + 1
		return err
	}
	get := func(ctx context.Context, k, i int) error {
		_, err := clients[k].Get(ctx, schemas.Ref{Resource: schemas.ConfigMaps, Namespace: namespace, Name: schemas.Name(name(k, i%made[k]))})
		return err
	}
	var rows []row
	for _, op := range []struct {
		what string
		do   func(context.Context, int, int) error
	}{{"Durable creates", create}, {"Gets", get}} {
		begun := time.Now()
		s, err := crowd(ctx, len(clients), begun.Add(b.writing), op.do)
		if err != nil {
			return nil, err
		}
		rows = append(rows, reference(op.what+" of 1 KiB, "+who, rate(len(s), time.Since(begun)), quantiles(s)))
	}
	return rows, nil
}

// crowd has n clients do something again and again until the deadline.
func crowd(ctx context.Context, n int, deadline time.Time, do func(ctx context.Context, client, i int) error) (sample, error) {
	each := make([]sample, n)
	g, ctx := errgroup.WithContext(ctx)
	for k := range n {
		g.Go(func() error {
			for i := 0; time.Now().Before(deadline); i++ {
				begun := time.Now()
				if err := do(ctx, k, i); err != nil {
					return err
				}
				each[k] = append(each[k], time.Since(begun))
			}
			return nil
		})
	}
	err := g.Wait()
	var all sample
	for _, s := range each {
		all = append(all, s...)
	}
	return all, err
}

// syncs appends 1 KiB to a file and syncs it, n times: what the disk can do.
func syncs(path string, n int) (s sample, err error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	block := make([]byte, 1024)
	for range n {
		begun := time.Now()
		if _, err := f.Write(block); err != nil {
			return nil, err
		}
		if err := f.Sync(); err != nil {
			return nil, err
		}
		s = append(s, time.Since(begun))
	}
	return s, nil
}

func sum(s sample) (total time.Duration) {
	for _, d := range s {
		total += d
	}
	return total
}

func rate(n int, took time.Duration) string { return fmt.Sprintf("%.0f/s", float64(n)/took.Seconds()) }

func quantiles(s sample) string {
	return "p50 " + show(s.quantile(0.5)) + ", p99 " + show(s.quantile(0.99))
}
