package store

import (
	"context"
	"sync"

	"github.com/nats-io/nats.go"
)

// front is how far a watch of a whole bucket has come, for readers of what it feeds.
type front struct {
	mu      sync.Mutex
	sub     *nats.Subscription
	whole   bool   // a list is in, and nothing is known to be missed since
	epoch   uint64 // of the connection that the list began on
	dropped int    // messages that the client had dropped then
	handled int64  // messages of sub
	seen    Revision
	moved   chan struct{} // closes with the next change; nil if nobody waits
}

// Reach returns a revision at which everything is that was acknowledged to anybody before
// the newest message on this connection was sent: a request that came in over it, say.
// Reading a copy that has come so far is as good as reading the stream.
//
// In the server's own process nobody need be asked. There is one server, which puts a change into
// this connection before it acknowledges it, and a later request after both: what the watch
// has to come to has arrived already. Elsewhere Reach is Last.
func (s *Store) Reach(ctx context.Context) (Revision, error) {
	if f := s.front.Load(); f != nil && s.conn.InProcess {
		if rev, ok := f.reach(ctx, s.conn.NC.Stats().Reconnects); ok {
			return rev, nil
		}
	}
	return s.Last(ctx)
}

// reach waits until all messages that have arrived are handled; false if
// some may be missing. epoch is the connection's.
func (f *front) reach(ctx context.Context, epoch uint64) (Revision, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.whole || f.epoch != epoch {
		return 0, false
	}
	arrived, err := f.sub.Delivered()
	if err != nil {
		return 0, false
	}
	if d, err := f.sub.Dropped(); err != nil || d != f.dropped {
		return 0, false
	}
	for f.handled < arrived {
		if f.moved == nil {
			f.moved = make(chan struct{})
		}
		moved := f.moved
		f.mu.Unlock()
		select {
		case <-moved:
		case <-ctx.Done():
		}
		f.mu.Lock()
		if !f.whole || ctx.Err() != nil {
			return 0, false
		}
	}
	return f.seen, true
}

// advance tells the front where the watch is.
func (w *watch) advance() {
	f := w.front
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.whole = w.synced && !w.dirty && !w.busy && len(w.subs) == 1
	if f.whole {
		f.sub = w.subs[0]
	}
	f.epoch, f.dropped, f.handled, f.seen = w.epoch, w.dropped, w.handled, w.state.seen
	if f.moved != nil {
		close(f.moved)
		f.moved = nil
	}
}
