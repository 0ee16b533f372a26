package record

import (
	"hash/maphash"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

const (
	// burst and refill are those of client-go's EventSourceObjectSpamFilter.
	burst  = 25
	refill = 5 * time.Minute
	// maxObjects is how many objects' buckets are remembered.
	maxObjects = 4096
)

// filter has a token bucket for each object, for as long as it lacks a token: thousands of agents that
// run one short pod after the other have one each. Buckets are in two generations. When the newer one
// is half of what is remembered, the older one's are forgotten: nobody was told of these for longest.
type filter struct {
	seed        maphash.Seed
	now, before map[uint64]bucket
}

// bucket is when a bucket will be full again, in nanoseconds since 1970: each token that was taken is
// put back refill later than the one before.
type bucket int64

func newFilter() *filter { return &filter{seed: maphash.MakeSeed(), now: map[uint64]bucket{}} }

// object is what one bucket is for.
type object struct {
	kind            schema.GroupVersionKind
	namespace, name string
	uid             types.UID
}

// allow takes a token of k's bucket, if one is left.
func (f *filter) allow(k object, now time.Time) (allowed bool) {
	sum := maphash.Comparable(f.seed, k)
	full, known := f.now[sum]
	if !known {
		full = f.before[sum]
	}
	if next := max(full, bucket(now.UnixNano())) + bucket(refill); next <= bucket(now.Add(burst*refill).UnixNano()) {
		full, allowed = next, true
	}
	if !known && len(f.now) >= maxObjects/2 {
		f.now, f.before = map[uint64]bucket{}, f.now
	}
	f.now[sum] = full
	return allowed
}
