package apiserver_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/bus/bustest"
	"github.com/skerry/skerry/schemas"
)

// BenchmarkCreate creates ConfigMaps of 1 KiB, each on disk before it is acknowledged.
func BenchmarkCreate(b *testing.B) {
	for _, clients := range []int{1, 10, 50} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			cl, conns := benchCluster(b, clients)
			_ = cl
			spread(b, conns, func(c *api.Client, i int64) error {
				_, err := c.Create(context.Background(), schemas.ConfigMaps, configMap(fmt.Sprintf("m%d", i), "k", strings.Repeat("x", 1024)))
				return err
			})
		})
	}
}

// BenchmarkUpdate overwrites ConfigMaps of 1 KiB, each of which carries along what it overwrites.
func BenchmarkUpdate(b *testing.B) {
	for _, clients := range []int{1, 50} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			_, conns := benchCluster(b, clients)
			for i := range 50 {
				must(conns[0].Create(ctx(b), schemas.ConfigMaps, configMap(fmt.Sprintf("m%d", i))))(b)
			}
			spread(b, conns, func(c *api.Client, i int64) error {
				_, err := c.Update(context.Background(), schemas.ConfigMaps, configMap(fmt.Sprintf("m%d", i%50), "k", strings.Repeat("x", 1000)+fmt.Sprint(i)), "")
				return err
			})
		})
	}
}

// BenchmarkGet reads one ConfigMap, as new as the newest write.
func BenchmarkGet(b *testing.B) {
	for _, clients := range []int{1, 50} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			_, conns := benchCluster(b, clients)
			must(conns[0].Create(ctx(b), schemas.ConfigMaps, configMap("a", "k", strings.Repeat("x", 1024))))(b)
			spread(b, conns, func(c *api.Client, _ int64) error {
				_, err := c.Get(context.Background(), cmRef("a"))
				return err
			})
		})
	}
}

func benchCluster(b *testing.B, clients int) (*cluster, []*api.Client) {
	b.Helper()
	cl := newCluster(b, bustest.SyncAlways())
	cl.serve(b, "a")
	var conns []*api.Client
	for range clients {
		conns = append(conns, cl.client(b, "admin"))
	}
	return cl, conns
}

// spread runs f b.N times over the clients.
func spread(b *testing.B, conns []*api.Client, f func(c *api.Client, i int64) error) {
	b.Helper()
	b.ResetTimer()
	var next atomic.Int64
	var all sync.WaitGroup
	for _, c := range conns {
		all.Go(func() {
			for {
				i := next.Add(1)
				if i > int64(b.N) {
					return
				}
				if err := f(c, i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
}
