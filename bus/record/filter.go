package record

import (
	"time"

	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/lru"
)

const (
	// burst and refill are those of client-go's EventSourceObjectSpamFilter.
	burst  = 25
	refill = 5 * time.Minute
	// maxObjects is how many objects' buckets are remembered.
	maxObjects = 4096
)

// filter has a token bucket for each object.
type filter struct {
	buckets *lru.Cache
}

func newFilter() *filter { return &filter{buckets: lru.New(maxObjects)} }

// object is what one bucket is for.
type object struct {
	kind            schema.GroupVersionKind
	namespace, name string
	uid             types.UID
}

// allow takes a token of k's bucket, if one is left.
func (f *filter) allow(k object, now time.Time) bool {
	var l *rate.Limiter
	if v, ok := f.buckets.Get(k); ok {
		l = v.(*rate.Limiter)
	} else {
		l = rate.NewLimiter(rate.Every(refill), burst)
		f.buckets.Add(k, l)
	}
	return l.AllowN(now, 1)
}
