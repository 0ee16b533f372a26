package scheduler

import (
	"sync"
	"time"

	"github.com/skerry/skerry/schemas"
)

// queue is the pods that need a look: at once, or after a back-off. It holds each
// pod at most once, so it is bounded by the pods that exist. Safe for concurrent use.
type queue struct {
	mu      sync.Mutex
	ready   map[schemas.Ref]struct{}
	waiting map[schemas.Ref]wait
	wake    chan struct{}
}

// wait is a pod that fitted nowhere.
type wait struct {
	tries int
	from  time.Time // not before
	until time.Time // even if nothing changed
	moved bool      // the cluster changed since: take it as soon as from allows
}

// As in Kubernetes: a pod that fits nowhere waits 1 s, doubling to 10 s, after a
// change that may help, and is looked at every 5 minutes without one.
const (
	firstWait = time.Second
	lastWait  = 10 * time.Second
	flush     = 5 * time.Minute
)

func newQueue() *queue {
	return &queue{ready: map[schemas.Ref]struct{}{}, waiting: map[schemas.Ref]wait{}, wake: make(chan struct{}, 1)}
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// add wants a look at once: the pod itself changed.
func (q *queue) add(ref schemas.Ref) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if w, ok := q.waiting[ref]; ok {
		// Keep the tries: a write of our own verdict must not reset the back-off.
		w.moved = true
		q.waiting[ref] = w
	} else {
		q.ready[ref] = struct{}{}
	}
	q.signal()
}

// putOff puts a pod off that fitted nowhere.
func (q *queue) putOff(ref schemas.Ref, now time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	w := q.waiting[ref]
	d := firstWait << min(w.tries, 4)
	q.waiting[ref] = wait{tries: w.tries + 1, from: now.Add(min(d, lastWait)), until: now.Add(flush)}
	delete(q.ready, ref)
}

// forget drops what is known of a pod that is placed or gone.
func (q *queue) forget(ref schemas.Ref) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.ready, ref)
	delete(q.waiting, ref)
}

// changed tells that the cluster has room or shape that it had not before.
func (q *queue) changed() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for ref, w := range q.waiting {
		w.moved = true
		q.waiting[ref] = w
	}
	if len(q.waiting) > 0 {
		q.signal()
	}
}

// take returns up to n pods that are due, and when the next one will be (zero: never).
func (q *queue) take(n int, now time.Time) (due []schemas.Ref, next time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for ref := range q.ready {
		if len(due) == n {
			return due, now
		}
		due = append(due, ref)
		delete(q.ready, ref)
	}
	for ref, w := range q.waiting {
		at := w.until
		if w.moved {
			at = w.from
		}
		if at.After(now) {
			if next.IsZero() || at.Before(next) {
				next = at
			}
			continue
		}
		if len(due) == n {
			return due, now
		}
		due = append(due, ref)
		w.moved, w.until = false, now.Add(flush)
		q.waiting[ref] = w
	}
	return due, next
}
