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

// BenchmarkList measures a first list and a filtered one of a bucket of 100,000 keys.
func BenchmarkList(b *testing.B) {
	tb := bustest.Start(b).Provisioned(b)
	s := store.New(tb.Conn(b, "system:apiserver"), bus.BucketState)
	value := bytes.Repeat([]byte("x"), 1500)
	for i := range 100 {
		ops := make([]store.Op, 1000)
		for j := range ops {
			ops[j] = store.Op{Key: bus.Key(fmt.Sprintf("desired.pods.ns%d.p%d", i, j)), Value: value}
		}
		if _, err := s.Apply(context.Background(), ops...); err != nil {
			b.Fatal(err)
		}
	}
	for _, filter := range []string{">", "desired.pods.ns7.>", "assigned.n1.>"} {
		b.Run(filter, func(b *testing.B) {
			for b.Loop() {
				if _, _, err := s.List(context.Background(), filter); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("last", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.Last(context.Background()); err != nil {
				b.Fatal(err)
			}
		}
	})
}
