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
	// linger is how long the queue is left to fill after a batch, whose callers are
	// likely to come back at once.
	linger = 300 * time.Microsecond
	// groupMax and groupBytes bound one batch.
	groupMax   = 500
	groupBytes = 8 << 20
)

// group gathers single writes while earlier ones are being committed, and commits
// those together. Nobody waits for company: with nothing under way a write goes
// at once.
//
// Each caller gets its own answer: a batch that is refused is taken apart into those
// that conflict and those that do not.
type group struct {
	store *Store

	mu      sync.Mutex
	queue   []*member
	running bool
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

// apply queues w and waits. The goroutine that commits ends when the queue is
// empty; each of its steps is bounded in time.
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
	defer g.mu.Unlock()
	for _, m := range members {
		if m != nil {
			g.queue = append(g.queue, m)
		}
	}
	if !g.running && len(g.queue) > 0 {
		g.running = true
		go g.run()
	}
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

func (g *group) run() {
	for {
		members := g.take()
		if len(members) == 0 {
			return
		}
		g.commit(members)
		if len(members) >= groupMin {
			time.Sleep(linger)
		}
	}
}

// take removes the next batch from the queue: distinct keys, in order of arrival.
func (g *group) take() []*member {
	g.mu.Lock()
	defer g.mu.Unlock()
	var taken, rest []*member
	keys := map[bus.Key]bool{}
	size := 0
	for _, m := range g.queue {
		full := len(taken) >= groupMax || len(taken) > 0 && size+len(m.w.Value) > groupBytes
		if full || keys[m.w.Key] {
			rest = append(rest, m)
			continue
		}
		keys[m.w.Key] = true
		size += len(m.w.Value)
		taken = append(taken, m)
	}
	g.queue = rest
	g.running = len(taken) > 0
	return taken
}

// commit gives every member its answer.
func (g *group) commit(members []*member) {
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
