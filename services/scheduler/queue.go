package scheduler

import (
	"cmp"
	"container/heap"
	"strings"
	"sync"
	"time"

	"github.com/skerry/skerry/schemas"
)

// item is a pod in the queue, with what decides who comes first: the higher priority,
// then the older, then the name.
type item struct {
	ref      schemas.Ref
	priority int32
	made     int64 // unix seconds
}

func (a *item) compare(b *item) int {
	return cmp.Or(cmp.Compare(b.priority, a.priority), cmp.Compare(a.made, b.made),
		strings.Compare(string(a.ref.Namespace), string(b.ref.Namespace)), strings.Compare(string(a.ref.Name), string(b.ref.Name)))
}

// queue is the pods that need a look: at once, or after a back-off. It holds each
// pod at most once, so it is bounded by the pods that exist. Safe for concurrent use.
// A change of the cluster costs as much as there are pods that wait for nothing else.
type queue struct {
	mu      sync.Mutex
	tickets map[schemas.Ref]*ticket
	ready   pile // by priority and age
	backoff pile // by from
	parked  pile // by until
	// social counts parked and backed-off pods that wait for other pods' company.
	epoch uint64
	wake  chan struct{}
}

// ticket is a pod's state in the queue. Those that were taken are in no pile.
type ticket struct {
	item
	in    *pile
	index int
	tries int
	from  time.Time // not before
	until time.Time // even if nothing changed
	epoch uint64    // the cluster changed since if this is not the queue's
	// social pods may fit once another pod is placed, not only once room is made.
	social bool
}

// As in Kubernetes: a pod that fits nowhere waits 1 s, doubling to 10 s, after a
// change that may help, and is looked at every 5 minutes without one.
const (
	firstWait = time.Second
	lastWait  = 10 * time.Second
	flush     = 5 * time.Minute
)

func newQueue() *queue {
	return &queue{
		tickets: map[schemas.Ref]*ticket{}, wake: make(chan struct{}, 1),
		ready:   pile{less: func(a, b *ticket) bool { return a.compare(&b.item) < 0 }},
		backoff: pile{less: func(a, b *ticket) bool { return a.from.Before(b.from) }},
		parked:  pile{less: func(a, b *ticket) bool { return a.until.Before(b.until) }},
	}
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// add wants a look at once: the pod itself changed. One that is backing off keeps its
// tries: a write of our own verdict must not reset the back-off.
func (q *queue) add(it item) {
	q.mu.Lock()
	defer q.mu.Unlock()
	e := q.tickets[it.ref]
	if e == nil {
		e = &ticket{}
		q.tickets[it.ref] = e
	}
	e.item = it
	if e.in == &q.backoff {
		e.epoch = q.epoch - 1
	} else {
		q.move(e, &q.ready)
	}
	q.signal()
}

// hurry wants a look at once, whatever the back-off: room was made for this very pod.
func (q *queue) hurry(ref schemas.Ref) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if e := q.tickets[ref]; e != nil {
		q.move(e, &q.ready)
		q.signal()
	}
}

// putOff puts a pod off that fitted nowhere.
func (q *queue) putOff(it item, social bool, now time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	e := q.tickets[it.ref]
	if e == nil {
		e = &ticket{}
		q.tickets[it.ref] = e
	}
	e.item, e.social, e.epoch = it, social, q.epoch
	if e.in == &q.ready {
		e.epoch-- // it changed while it was looked at
	}
	e.from = now.Add(min(firstWait<<min(e.tries, 4), lastWait))
	e.until = now.Add(flush)
	e.tries++
	q.move(e, &q.backoff)
}

// forget drops what is known of a pod that is placed or needs nothing, unless it has
// changed since it was taken.
func (q *queue) forget(ref schemas.Ref) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if e := q.tickets[ref]; e != nil && e.in == nil {
		delete(q.tickets, ref)
	} else if e != nil {
		e.tries = 0
	}
}

// remove drops a pod that is no more.
func (q *queue) remove(ref schemas.Ref) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if e := q.tickets[ref]; e != nil {
		q.move(e, nil)
		delete(q.tickets, ref)
	}
}

// changed tells that the cluster has room or shape that it had not before.
func (q *queue) changed() { q.stir(false) }

// joined tells that a pod was placed, which may be the company that another waits for.
func (q *queue) joined() { q.stir(true) }

func (q *queue) stir(social bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !social {
		q.epoch++
		for len(q.parked.list) > 0 {
			q.move(q.parked.list[0], &q.ready)
		}
		if len(q.ready.list)+len(q.backoff.list) > 0 {
			q.signal()
		}
		return
	}
	for _, p := range []*pile{&q.parked, &q.backoff} {
		if p.social == 0 {
			continue
		}
		var moved []*ticket
		for _, e := range p.list {
			if e.social {
				moved = append(moved, e)
			}
		}
		for _, e := range moved {
			if e.epoch = q.epoch - 1; p == &q.parked {
				q.move(e, &q.ready)
			}
		}
		q.signal()
	}
}

// take returns up to n pods that are due, the first first, and when the next one will
// be (zero: never).
func (q *queue) take(n int, now time.Time) (due []item, next time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.backoff.list) > 0 && !q.backoff.list[0].from.After(now) {
		e := q.backoff.list[0]
		if e.epoch != q.epoch {
			q.move(e, &q.ready)
		} else {
			q.move(e, &q.parked)
		}
	}
	for len(q.parked.list) > 0 && !q.parked.list[0].until.After(now) {
		q.move(q.parked.list[0], &q.ready)
	}
	for len(due) < n && len(q.ready.list) > 0 {
		e := q.ready.list[0]
		q.move(e, nil)
		due = append(due, e.item)
	}
	switch {
	case len(q.ready.list) > 0:
		next = now
	case len(q.backoff.list) > 0:
		next = q.backoff.list[0].from
	}
	if len(q.parked.list) > 0 && (next.IsZero() || q.parked.list[0].until.Before(next)) {
		next = q.parked.list[0].until
	}
	return due, next
}

func (q *queue) move(e *ticket, to *pile) {
	if e.in != nil {
		heap.Remove(e.in, e.index)
	}
	if e.in = to; to != nil {
		heap.Push(to, e)
	}
}

// pile is entries in an order, as a heap.
type pile struct {
	list   []*ticket
	less   func(a, b *ticket) bool
	social int // how many are
}

func (p *pile) Len() int           { return len(p.list) }
func (p *pile) Less(i, j int) bool { return p.less(p.list[i], p.list[j]) }
func (p *pile) Swap(i, j int) {
	p.list[i], p.list[j] = p.list[j], p.list[i]
	p.list[i].index, p.list[j].index = i, j
}

func (p *pile) Push(x any) {
	e, _ := x.(*ticket) // nothing else is pushed
	e.index = len(p.list)
	p.list = append(p.list, e)
	if e.social {
		p.social++
	}
}

func (p *pile) Pop() any {
	last := len(p.list) - 1
	e := p.list[last]
	p.list[last] = nil
	p.list = p.list[:last]
	if e.social {
		p.social--
	}
	return e
}
