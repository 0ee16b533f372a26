package store_test

import (
	"bytes"
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/bustest"
	"github.com/skerry/skerry/bus/store"
)

// BenchmarkApply measures durable single writes: the server syncs each commit.
func BenchmarkApply(b *testing.B) {
	value := bytes.Repeat([]byte("x"), 1500)
	for _, writers := range []int{1, 4, 8, 16, 50} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			tb := bustest.Start(b, bustest.SyncAlways()).Provisioned(b)
			s := store.New(tb.Conn(b, "system:apiserver"), bus.BucketState)
			var n atomic.Int64
			b.SetParallelism((writers + 1) / 2) // times GOMAXPROCS, which is 2 or more
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					k := bus.Key(fmt.Sprintf("desired.pods.ns.p%d", n.Add(1)))
					if _, err := s.Create(context.Background(), k, value); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "writes/s")
		})
	}
}

// BenchmarkBatch measures one atomic batch by its size.
func BenchmarkBatch(b *testing.B) {
	value := bytes.Repeat([]byte("x"), 1500)
	for _, size := range []int{1, 2, 8, 50, 500} {
		b.Run(fmt.Sprintf("size=%d", size), func(b *testing.B) {
			tb := bustest.Start(b, bustest.SyncAlways()).Provisioned(b)
			s := store.New(tb.Conn(b, "system:apiserver"), bus.BucketState)
			for i := 0; b.Loop(); i++ {
				ops := make([]store.Op, size)
				for j := range ops {
					ops[j] = store.Op{Key: bus.Key(fmt.Sprintf("desired.pods.ns.p%d-%d", i, j)), Value: value}
				}
				if _, err := s.Apply(context.Background(), ops...); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
