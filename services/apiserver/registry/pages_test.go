package registry

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
)

// many are n objects, which no other list has.
func many(n int) []schemas.Object {
	objs := make([]schemas.Object, n)
	for i := range objs {
		objs[i] = listed(fmt.Sprint("m", i), "x")
	}
	return objs
}

// plain is what a client reads in a reply.
func plain(t *testing.T, r *api.Reply, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if !r.Gzip {
		return string(r.Body)
	}
	z, err := gzip.NewReader(bytes.NewReader(r.Body))
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestPages: the same head and objects are rendered once, for a while; anything else is
// another list.
func TestPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p pages
		var rendered atomic.Int32
		get := func(head string, objs []schemas.Object, text string) string {
			t.Helper()
			r, err := p.get(schemas.ConfigMaps, head, objs, func() ([]byte, error) { rendered.Add(1); return []byte(text), nil })
			return plain(t, r, err)
		}
		times := func(n int32) {
			t.Helper()
			if got := rendered.Swap(0); got != n {
				t.Errorf("rendered %d times, not %d", got, n)
			}
		}
		objs, large := many(50), strings.Repeat("large ", 40_000)
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				if get("1", objs, large) != large {
					t.Error("not what was rendered")
				}
			})
		}
		all.Wait()
		times(1)
		changed := append([]schemas.Object{}, objs...)
		changed[20] = listed("m20", "y")
		for head, of := range map[string][]schemas.Object{"2": objs, "1": changed} {
			if other := large + head; get(head, of, other) != other {
				t.Error("another list's text")
			}
		}
		times(2)
		for range 2 {
			get("3", objs, "small")
			get("1", objs[:leastPage-1], large)
		}
		times(4)
		get("1", objs, large)
		times(0)
		time.Sleep(keptPagesFor + time.Second) // the bubble's clock
		synctest.Wait()
		get("1", objs, large)
		times(1)
	})
}

// TestPagesBounded: it keeps so much, and knows how much that is.
func TestPagesBounded(t *testing.T) {
	var p pages
	for i := range 30 {
		head, objs := fmt.Sprint(i), many(50)
		text := make([]byte, 400<<10)
		for j := range text {
			text[j] = byte(i * j * j >> 7) // hardly gets shorter
		}
		if _, err := p.get(schemas.ConfigMaps, head, objs, func() ([]byte, error) { return text, nil }); err != nil {
			t.Fatal(err)
		}
	}
	size := 0
	for key, one := range p.of {
		r, err := one.reply()
		if err != nil {
			t.Fatal(err)
		}
		size += len(r.Body) + len(key.head) + 16*len(one.objs)
	}
	if size != p.bytes || size > keptPages || len(p.of) == 0 {
		t.Errorf("%d lists of %d bytes, counted as %d", len(p.of), size, p.bytes)
	}
}
