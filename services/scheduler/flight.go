package scheduler

import (
	"context"
	"slices"
	"sync"
	"time"

	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/bus/pause"
	"github.com/skerry/skerry/schemas"
)

// airborne is how many cycles' writes are under way at most. While those of one are synced and
// come back in the view, the next pods are decided: one cycle after the other would leave the
// processor idle for most of each.
const airborne = 4

// flight is a cycle whose writes are under way.
type flight struct {
	due   []item
	plain bool
	err   error
}

// flights are those of one leader; its loop alone uses them.
type flights struct {
	landed chan flight
	count  int
	solo   bool // the one that is under way lets no other beside it
	// pods are those of flights, whose writes the view may not show yet: nobody decides
	// about them again before it does.
	pods map[schemas.Ref]bool
	// held are pods in flight that are due again.
	held  map[schemas.Ref]item
	group sync.WaitGroup

	failed bool          // one that landed, and nobody has rested since
	rest   time.Duration // after a failure
}

func newFlights() *flights {
	return &flights{landed: make(chan flight, airborne), pods: map[schemas.Ref]bool{}, held: map[schemas.Ref]item{}}
}

// full tells whether nothing may start now.
func (f *flights) full() bool {
	return f.count >= airborne || f.count > 0 && f.solo
}

// free are the due pods that are not in flight; the others are held.
func (f *flights) free(due []item) []item {
	var out []item
	for _, it := range due {
		if f.pods[it.ref] {
			f.held[it.ref] = it
		} else {
			out = append(out, it)
		}
	}
	return out
}

// start has fly called for a cycle.
func (f *flights) start(c flight, fly func() error) {
	f.count++
	f.solo = !c.plain
	for _, it := range c.due {
		f.pods[it.ref] = true
	}
	f.group.Go(func() {
		c.err = fly()
		f.landed <- c
	})
}

// land takes a flight out and returns who has to be looked at again.
func (f *flights) land(c flight) (again []item) {
	f.count--
	for _, it := range c.due {
		delete(f.pods, it.ref)
		if held, ok := f.held[it.ref]; ok {
			again = append(again, held)
			delete(f.held, it.ref)
		} else if c.err != nil {
			again = append(again, it)
		}
	}
	if c.err == nil {
		f.rest = 0
	} else {
		f.failed, f.rest = true, min(max(2*f.rest, 50*time.Millisecond), 5*time.Second)
	}
	return again
}

// plain tells whether what follows from writes is known already: each is one pod's work order.
// Verdicts, evictions and what is written together have the next cycle wait for them.
func plain(writes []write) bool {
	for _, w := range writes {
		if len(w.ops) != 1 || len(w.pods) != 1 || w.pods[0].verdict != "" || w.pods[0].preempt != nil {
			return false
		}
	}
	return true
}

// loop runs cycles as pods become due, while the writes of former ones are under way. After one
// that failed (the bus is away) it rests; its pods are put back.
func (s *scheduler) loop(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	f := newFlights()
	defer f.group.Wait()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.state.queue.wake:
		case <-timer.C:
		case c := <-f.landed:
			s.land(f, c)
		}
		if f.failed {
			f.failed = false
			if pause.For(ctx, f.rest) != nil {
				return ctx.Err()
			}
		}
		if f.full() {
			continue // a landing comes back here
		}
		due, next := s.state.queue.take(batch, s.Now())
		if len(due) > 0 {
			s.cycle(ctx, f, f.free(due))
			s.state.queue.signal()
			continue
		}
		if !next.IsZero() {
			timer.Reset(max(next.Sub(s.Now()), time.Millisecond))
		}
	}
}

// land takes a flight in.
func (s *scheduler) land(f *flights, c flight) {
	if c.err != nil {
		s.Log.Warn("scheduling cycle failed", "pods", len(c.due), "error", c.err)
	}
	for _, it := range f.land(c) {
		s.state.queue.add(it)
	}
}

// drain waits for all flights.
func (s *scheduler) drain(f *flights) {
	for f.count > 0 {
		s.land(f, <-f.landed)
	}
}

// cycle looks at the pods that are due, and has all that follows written. It is over when the
// view shows the writes: the next cycle about these pods sees them. Capacity is counted from
// the decision on.
func (s *scheduler) cycle(ctx context.Context, f *flights, due []item) {
	if s.grouped(due) {
		s.drain(f) // a group is placed by what the view shows of all its pods
	}
	writes := s.plan(due)
	if len(writes) == 0 {
		return
	}
	c := flight{due: due, plain: s.keepsOrders() && plain(writes)}
	if !c.plain {
		s.drain(f) // an eviction does not overtake the placement of who has to go
	}
	f.start(c, func() error { return s.write(ctx, writes) })
}

// grouped tells whether one of the pods is of a pod group.
func (s *scheduler) grouped(due []item) bool {
	s.state.mu.Lock()
	none := len(s.state.gangs) == 0
	s.state.mu.Unlock()
	if none {
		return false
	}
	return slices.ContainsFunc(due, func(it item) bool {
		obj, _ := s.view.Get(it.ref)
		pod, ok := obj.(*v1.Pod)
		if !ok {
			return false
		}
		_, of := gangOf(pod)
		return of
	})
}
