package record

import (
	"time"

	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
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
type object struct{ apiVersion, kind, namespace, name, uid string }

// allow takes a token of e's object, if one is left.
func (f *filter) allow(e *corev1.Event, now time.Time) bool {
	o := e.InvolvedObject
	k := object{o.APIVersion, o.Kind, o.Namespace, o.Name, string(o.UID)}
	var l *rate.Limiter
	if v, ok := f.buckets.Get(k); ok {
		l = v.(*rate.Limiter)
	} else {
		l = rate.NewLimiter(rate.Every(refill), burst)
		f.buckets.Add(k, l)
	}
	return l.AllowN(now, 1)
}
