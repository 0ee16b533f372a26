package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/skerry/skerry/bus"
)

const (
	// groupMin is the least number of writes that go as an atomic batch. A batch costs
	// the server a staging file of its own, some fifteen synced writes' worth.
	groupMin = 16
	// window is how many single writes are under way at a time. The server syncs all that it has
	// been sent and acknowledges it then: fewer would leave the disk idle, more their callers
	// all at once.
	window = 8
	// linger is how long the queue is left to fill after a batch, whose callers are
	// likely to come back at once.
	linger = 300 * time.Microsecond
	// groupMax and groupBytes bound one batch.
	groupMax   = 500
	groupBytes = 8 << 20
)

// group sends single writes as they come, a few at a time, and gathers those that come
// meanwhile. Enough of them go together, as an atomic batch.
//
// Each caller gets its own answer: a batch that is refused is taken apart into those
// that conflict and those that do not.
type group struct {
	store *Store

	mu       sync.Mutex
	queue    []*member
	alone    int  // single writes under way
	together bool // a batch is under way
}

// member is one caller's write in the queue.
type member struct {
	w    *write
	done chan struct{}
	rev  Revision
	err  error
}

func (m *member) finish(rev Revision, err error) {
	m.rev, m.err = rev, err
	close(m.done)
}

// apply queues w and waits. What it starts ends by itself: each step is bounded in time.
func (g *group) apply(ctx context.Context, w *write) (Revision, error) {
	if err := ctx.Err(); err != nil {
		return 0, fmt.Errorf("apply %s: %w", w.Key, err)
	}
	m := &member{w: w, done: make(chan struct{})}
	g.add(m)
	return g.wait(ctx, m)
}

// add queues members; nil ones are left out.
func (g *group) add(members ...*member) {
	g.mu.Lock()
	for _, m := range members {
		if m != nil {
			g.queue = append(g.queue, m)
		}
	}
	g.mu.Unlock()
	g.pump()
}

// wait waits for m's answer. If ctx ends first, m is taken out of the queue if it is
// still there.
func (g *group) wait(ctx context.Context, m *member) (Revision, error) {
	w := m.w
	select {
	case <-m.done:
		return m.rev, m.err
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := slices.Index(g.queue, m); i >= 0 {
		g.queue = slices.Delete(g.queue, i, i+1)
		return 0, fmt.Errorf("apply %s: %w", w.Key, ctx.Err())
	}
	return 0, fmt.Errorf("apply %s: %w: %w", w.Key, ErrUnknown, ctx.Err())
}

// pump sends what may go.
func (g *group) pump() {
	for {
		m, batch := g.next()
		switch {
		case batch != nil:
			go g.commit(batch)
			return
		case m != nil:
			g.send(m)
		default:
			return
		}
	}
}

// next takes from the queue what goes next: a batch, a single write, or nothing for now.
func (g *group) next() (single *member, batch []*member) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.together || len(g.queue) == 0 {
		return nil, nil
	}
	if len(g.queue) >= groupMin {
		if g.alone > 0 {
			return nil, nil // more will have come by then
		}
		g.together = true
		return nil, g.take()
	}
	if g.alone >= window {
		return nil, nil
	}
	g.alone++
	m := g.queue[0]
	g.queue[0] = nil
	g.queue = g.queue[1:]
	return m, nil
}

// send has m written by itself, and the next one when that is done.
func (g *group) send(m *member) {
	g.store.post(m.w, func(rev Revision, err error) {
		if err == nil {
			m.finish(rev, nil)
		} else {
			go func() { m.finish(g.store.follow(context.Background(), []*write{m.w}, rev, err)) }()
		}
		g.mu.Lock()
		g.alone--
		g.mu.Unlock()
		g.pump()
	})
}

// take removes the next batch from the queue: distinct keys, in order of arrival. It needs g.mu.
func (g *group) take() []*member {
	var taken, rest []*member
	keys := map[bus.Key]bool{}
	size := 0
	for _, m := range g.queue {
		full := len(taken) >= groupMax || len(taken) > 0 && size+m.w.size() > groupBytes
		if full || keys[m.w.Key] {
			rest = append(rest, m)
			continue
		}
		keys[m.w.Key] = true
		size += m.w.size()
		taken = append(taken, m)
	}
	g.queue = rest
	return taken
}

// commit gives every member its answer, and then those that wait their turn.
func (g *group) commit(members []*member) {
	g.conclude(members)
	time.Sleep(linger)
	g.mu.Lock()
	g.together = false
	g.mu.Unlock()
	g.pump()
}

// conclude sends members together, for as long as they are enough.
func (g *group) conclude(members []*member) {
	ctx := context.Background() // every step has its own timeout
	for round := 0; len(members) >= groupMin && round < 2; round++ {
		writes := make([]*write, len(members))
		for i, m := range members {
			writes[i] = m.w
		}
		rev, err := g.store.send(ctx, writes)
		if err == nil {
			for i, m := range members {
				m.finish(rev-Revision(len(members)-1-i), nil)
			}
			return
		}
		if errors.Is(err, ErrConflict) {
			members = g.sift(ctx, members)
			continue
		}
		var sent sentError
		if errors.As(err, &sent) {
			g.settle(ctx, members, err)
			return
		}
		break
	}
	g.each(ctx, members)
}

// sift answers the members whose keys are not where they should be, one by one, and
// returns the others, for another batch.
func (g *group) sift(ctx context.Context, members []*member) []*member {
	keys := make([]string, len(members))
	for i, m := range members {
		keys[i] = string(m.w.Key)
	}
	found, err := g.store.getMany(ctx, keys)
	if err != nil {
		return members
	}
	var good, odd []*member
	for _, m := range members {
		r := found[m.w.Key]
		if m.w.Revision == 0 && r.Deleted {
			m.w.expect = r.Revision
		}
		if r.Revision == m.w.expect {
			good = append(good, m)
		} else {
			odd = append(odd, m)
		}
	}
	g.each(ctx, odd)
	return good
}

// settle is for a batch whose acknowledgement was lost. If it was not stored, each
// write goes on alone: the compare-and-swap keeps one from being stored twice.
func (g *group) settle(ctx context.Context, members []*member, lost error) {
	var all sync.WaitGroup
	for _, m := range members {
		all.Go(func() {
			m.finish(g.store.follow(ctx, []*write{m.w}, 0, lost))
		})
	}
	all.Wait()
}

// each commits every member by itself, all at once.
func (g *group) each(ctx context.Context, members []*member) {
	var all sync.WaitGroup
	for _, m := range members {
		all.Go(func() {
			m.finish(g.store.commit(ctx, []*write{m.w}))
		})
	}
	all.Wait()
}

// Each makes independent writes together: each is a compare-and-swap of its own, and
// its error says what became of it alone. It takes the cheapest way there is: what
// waits at the same time shares atomic batches, and few writes go one by one.
func (s *Store) Each(ctx context.Context, ops ...Op) ([]Revision, []error) {
	revs, errs := make([]Revision, len(ops)), make([]error, len(ops))
	members := make([]*member, len(ops))
	for i, op := range ops {
		if errs[i] = s.check([]Op{op}); errs[i] == nil {
			members[i] = &member{w: s.newWrite(op), done: make(chan struct{})}
		}
	}
	if s.group == nil {
		var all sync.WaitGroup
		for i, m := range members {
			if m != nil {
				all.Go(func() { revs[i], errs[i] = s.commit(ctx, []*write{m.w}) })
			}
		}
		all.Wait()
		return revs, errs
	}
	s.group.add(members...)
	for i, m := range members {
		if m != nil {
			revs[i], errs[i] = s.group.wait(ctx, m)
		}
	}
	return revs, errs
}
