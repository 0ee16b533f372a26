package status

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/store"
)

// Bucket is the part of a store.Store that a Poster writes with.
type Bucket interface {
	Each(ctx context.Context, ops ...store.Op) ([]store.Revision, []error)
}

// batch is how many keys are written at once.
const batch = 64

// Poster writes the newest value of each key, coalesced. Safe for concurrent use.
type Poster struct {
	bucket Bucket
	lister store.Lister
	filter string
	log    *slog.Logger
	wake   chan struct{}

	mu      sync.Mutex
	known   map[bus.Key]store.Revision
	pending map[bus.Key]post
	after   map[bus.Key]func() // called once nothing is pending of the key
	synced  bool
	// unsure are keys whose last write failed: what is stored of them has to be asked.
	unsure map[bus.Key]bool
}

// post is a value that waits to be written.
type post struct {
	data []byte    // nil deletes
	due  time.Time // zero: at once
}

// NewPoster returns a poster for the keys under filter, all of which are this node's own.
func NewPoster(b Bucket, l store.Lister, filter string, log *slog.Logger) *Poster {
	return &Poster{
		bucket: b, lister: l, filter: filter, log: log, wake: make(chan struct{}, 1),
		known: map[bus.Key]store.Revision{}, pending: map[bus.Key]post{}, after: map[bus.Key]func(){},
		unsure: map[bus.Key]bool{},
	}
}

// Post queues value as the newest of k; it replaces what is still queued.
func (p *Poster) Post(k bus.Key, value any) error { return p.PostWithin(k, value, 0) }

// PostWithin is Post of a value that may wait for d: what comes by then replaces it.
func (p *Poster) PostWithin(k bus.Key, value any, d time.Duration) error {
	data, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encode %s: %w", k, err)
	}
	var due time.Time
	if d > 0 {
		due = time.Now().Add(d)
	}
	p.queue(k, post{data, due})
	return nil
}

// Delete queues the removal of k.
func (p *Poster) Delete(k bus.Key) { p.queue(k, post{}) }

func (p *Poster) queue(k bus.Key, v post) {
	p.mu.Lock()
	if was, ok := p.pending[k]; ok && was.due.Before(v.due) {
		v.due = was.due
	}
	p.pending[k] = v
	p.mu.Unlock()
	p.nudge()
}

func (p *Poster) nudge() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// Posted tells whether k's newest value has been written. If not, that is hurried, and
// then is called once it has been.
func (p *Poster) Posted(k bus.Key, then func()) bool {
	p.mu.Lock()
	v, waits := p.pending[k]
	if waits {
		v.due = time.Time{}
		p.pending[k] = v
		p.after[k] = then
	}
	p.mu.Unlock()
	if waits {
		p.nudge()
	}
	return !waits
}

// Sync lists the node's own keys and returns those that have a value. A Poster
// that has not synced writes nothing.
func (p *Poster) Sync(ctx context.Context) ([]store.Entry, error) {
	entries, _, err := p.lister.List(ctx, p.filter)
	if err != nil {
		return nil, fmt.Errorf("list own keys: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.synced = true
	clear(p.known)
	clear(p.unsure)
	var live []store.Entry
	for _, e := range entries {
		if !e.Deleted {
			p.known[e.Key] = e.Revision
			live = append(live, e)
		}
	}
	return live, nil
}

// Run writes what is queued until ctx ends. What cannot be written waits and is
// retried with back-off and jitter.
func (p *Poster) Run(ctx context.Context) error {
	for tries := 0; ; {
		err := p.flush(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil {
			tries = 0
			if err := p.idle(ctx); err != nil {
				return err
			}
			continue
		}
		tries = min(tries+1, 7)
		d := 50 * time.Millisecond << tries
		p.log.Debug("post status; will retry", "error", err, "in", d)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(d/2 + rand.N(d)):
		}
	}
}

// idle waits until something new is queued, or what is queued is due.
func (p *Poster) idle(ctx context.Context) error {
	var due <-chan time.Time
	if at := p.next(); !at.IsZero() {
		t := time.NewTimer(time.Until(at))
		defer t.Stop()
		due = t.C
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-p.wake:
	case <-due:
	}
	return nil
}

// next is when the first of what may wait is due; zero if nothing does.
func (p *Poster) next() (at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, v := range p.pending {
		if at.IsZero() || v.due.Before(at) {
			at = v.due
		}
	}
	return at
}

// flush writes all that is queued and due.
func (p *Poster) flush(ctx context.Context) error {
	for {
		ops := p.take()
		if len(ops) == 0 {
			return nil
		}
		if !p.isSynced() {
			if _, err := p.Sync(ctx); err != nil {
				return err
			}
			continue
		}
		if asked, err := p.ask(ctx); err != nil {
			return err
		} else if asked {
			continue
		}
		if err := p.write(ctx, ops); err != nil {
			return err
		}
	}
}

// ask asks what is stored of keys whose last write failed, and of no others: when the bus is
// slow writes fail, and a list of all keys would make it slower still.
func (p *Poster) ask(ctx context.Context) (asked bool, err error) {
	p.mu.Lock()
	var keys []string
	for k := range p.unsure {
		if len(keys) < batch {
			keys = append(keys, string(k))
		}
	}
	p.mu.Unlock()
	if len(keys) == 0 {
		return false, nil
	}
	entries, _, err := p.lister.List(ctx, keys...)
	if err != nil {
		return false, fmt.Errorf("ask for own keys: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, k := range keys {
		delete(p.unsure, bus.Key(k))
		delete(p.known, bus.Key(k))
	}
	for _, e := range entries {
		if !e.Deleted {
			p.known[e.Key] = e.Revision
		}
	}
	return true, nil
}

func (p *Poster) isSynced() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.synced
}

// take copies up to a batch of what is queued; a write that succeeds removes it.
func (p *Poster) take() []store.Op {
	p.mu.Lock()
	defer p.mu.Unlock()
	var ops []store.Op
	now := time.Now()
	for k, v := range p.pending {
		rev := p.known[k]
		if v.data == nil && rev == 0 && p.synced {
			p.settled(k)
			continue
		}
		if v.due.After(now) {
			continue
		}
		ops = append(ops, store.Op{Key: k, Value: v.data, Revision: rev})
		if len(ops) == batch {
			break
		}
	}
	return ops
}

func (p *Poster) write(ctx context.Context, ops []store.Op) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	revs, errs := p.bucket.Each(ctx, ops...)
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, op := range ops {
		if errs[i] != nil {
			// A conflict: an agent before this one, still ending, wrote; or this one, in
			// a write whose answer was lost. Any other failure may have been written too.
			p.unsure[op.Key] = true
			continue
		}
		if op.Value == nil {
			delete(p.known, op.Key)
		} else {
			p.known[op.Key] = revs[i]
		}
		if now, ok := p.pending[op.Key]; ok && bytes.Equal(now.data, op.Value) && (now.data == nil) == (op.Value == nil) {
			p.settled(op.Key)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("write status: %w", err)
	}
	return nil
}

// settled takes k out: its newest value has been written. It needs p.mu.
func (p *Poster) settled(k bus.Key) {
	delete(p.pending, k)
	if then := p.after[k]; then != nil {
		delete(p.after, k)
		then()
	}
}
