package api

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus/bustest"
	"github.com/skerry/skerry/schemas"
)

// BenchmarkGet is the round trip of a get of 1 KiB, decoded, over loopback.
func BenchmarkGet(b *testing.B) {
	body := []byte(`{"metadata":{"name":"a"},"data":{"k":"` + strings.Repeat("x", 1<<10) + `"}}`)
	for _, clients := range []int{1, 50} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			nats := bustest.Start(b)
			serve(b, nats, 64, fake{do: func(context.Context, *Request) (*Reply, error) { return &Reply{Body: body}, nil }})
			cs := make([]*Client, clients)
			for i := range cs {
				cs[i] = client(b, nats)
			}
			work := make(chan struct{}, clients)
			var wg sync.WaitGroup
			b.ReportAllocs()
			b.ResetTimer()
			for _, c := range cs {
				wg.Go(func() {
					for range work {
						if _, err := c.Get(b.Context(), refTo("a")); err != nil {
							b.Error(err)
						}
					}
				})
			}
			for range b.N {
				work <- struct{}{}
			}
			close(work)
			wg.Wait()
		})
	}
}

// BenchmarkWatchFanOut is one event of 1 KiB to 500 watchers, until the last has it.
func BenchmarkWatchFanOut(b *testing.B) {
	const watchers = 500
	nats := bustest.Start(b)
	var mu sync.Mutex
	var feeds []chan WatchEvent
	serve(b, nats, 4, fake{watch: func(ctx context.Context, _ *Request, emit func(WatchEvent) error) error {
		feed := make(chan WatchEvent, 16)
		mu.Lock()
		feeds = append(feeds, feed)
		mu.Unlock()
		for {
			select {
			case e := <-feed:
				if err := emit(e); err != nil {
					return err
				}
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}})
	ctx, cancel := context.WithCancel(b.Context())
	got := make(chan struct{}, watchers)
	var wg sync.WaitGroup
	for range 10 { // connections
		c := client(b, nats)
		for range watchers / 10 {
			wg.Go(func() {
				_ = c.WatchRaw(ctx, schemas.ConfigMaps, "", metav1.ListOptions{}, func(WatchEvent) error {
					got <- struct{}{}
					return nil
				})
			})
		}
	}
	eventually(b, "the watchers", func() bool { mu.Lock(); defer mu.Unlock(); return len(feeds) == watchers })
	e := event("MODIFIED", "a", 1, 1<<10)
	b.ReportAllocs()
	for b.Loop() {
		for _, f := range feeds {
			f <- e
		}
		for range feeds {
			<-got
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/watchers, "µs/event")
	cancel()
	wg.Wait()
}
