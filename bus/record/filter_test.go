package record

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// TestFilterIsBounded: what is remembered of objects that are no more is little, and one that
// tells too much is remembered for as long as it does.
func TestFilterIsBounded(t *testing.T) {
	f, now := newFilter(), time.Unix(1_900_000_000, 0)
	loud := object{name: "loud"}
	for range burst {
		f.allow(loud, now)
	}
	before := heapOf()
	for i := range 10 * maxObjects {
		if !f.allow(object{name: "pod", uid: types.UID(fmt.Sprint(i))}, now) {
			t.Fatalf("pod %d is kept from telling", i)
		}
		if i%(maxObjects/8) == 0 && f.allow(loud, now) {
			t.Fatalf("after %d pods the loud one is forgotten", i)
		}
	}
	if n := len(f.now) + len(f.before); n > maxObjects {
		t.Errorf("%d objects are remembered, %d may be", n, maxObjects)
	}
	if grown := heapOf() - before; grown > 100*maxObjects {
		t.Errorf("%d bytes for an object", grown/maxObjects)
	}
	runtime.KeepAlive(f)
}

// heapOf is what is alive.
func heapOf() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
