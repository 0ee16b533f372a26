package store

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/skerry/skerry/bus"
)

// Bounds and intervals of a watch.
const (
	// heldCount and heldBytes bound what waits for a slow reader, or for a list.
	// Beyond, changes are dropped and a fresh list replaces them.
	heldCount = 16384
	heldBytes = 32 << 20
	// wireCount is how many messages may wait to be looked at; looking is quick.
	wireCount = 8192
	// viaWireCount is that of an agent's watch, which is of a node's own keys: there may
	// be thousands of them.
	viaWireCount = 1024
	// checkEvery is how often an idle watch asks whether it missed anything.
	checkEvery = 30 * time.Second
	// askEvery is how often a watch asks that has to ask somebody else, and relistEvery
	// how often it lists again whatever the answer, or if it can only ask by listing.
	askEvery    = 5 * time.Minute
	relistEvery = time.Hour
	// settleAfter is how long a message that the stream has may be on its way.
	settleAfter = 2 * time.Second
	// listTimeout bounds one list, of 3,000,000 keys on a slow machine; each of its requests has a bound
	// of its own. askTimeout bounds a question. minListGap and maxListGap bound how quickly
	// lists follow each other.
	listTimeout = 10 * time.Minute
	askTimeout  = time.Minute
	minListGap  = 50 * time.Millisecond
	maxListGap  = 15 * time.Second
)

// Event is one change, or the mark that the first list is complete.
type Event struct {
	Entry
	// Synced marks the end of the first list; Entry.Revision is the list's revision.
	Synced bool
	// Progress marks that everything up to Entry.Revision has been delivered,
	// with no change to a watched key. Sent after re-lists and on idle checks.
	Progress bool
	// Listed: the event comes from a list, of which there is more: nothing is promised of any
	// revision before the mark that follows, Synced or Progress.
	Listed bool
}

// Watch watches the keys that match filters. The channel gives first what is
// there (List), then one Event with Synced, then changes in revision order per
// key. It survives reconnects, server restarts and gaps: then it lists again and
// reports the difference (keys that vanished as Deleted). It ends when ctx does;
// Watch returns at once and the goroutine is done when the channel closes.
// lister nil means s itself.
//
// A key that changes several times while the watch is away or its reader is slow is
// reported once, with its newest value. If the bucket was made anew everything is
// reported again, at its new revisions.
func (s *Store) Watch(ctx context.Context, lister Lister, filters ...string) <-chan Event {
	room := wireCount
	if lister != nil || s.via != nil {
		room = viaWireCount
	}
	w := &watch{
		store:   s,
		filters: filters,
		lister:  lister,
		every:   askEvery,
		out:     make(chan Event),
		wire:    make(chan *nats.Msg, room),
		lists:   make(chan listed),
		checks:  make(chan checked, 1),
		again:   make(chan struct{}, 1),
		state:   newState(),
	}
	if lister == nil && s.via == nil {
		w.lister, w.direct, w.every = s, true, s.idle
	} else if lister == nil {
		w.lister = s.via
	}
	if s.idle != checkEvery { // a test's
		w.every = s.idle
	}
	w.asker, _ = w.lister.(Asker)
	if w.direct && slices.Equal(filters, []string{">"}) {
		w.front = &front{}
		s.front.Store(w.front)
	}
	go w.run(ctx)
	return w.out
}

// watch is one Watch. All its fields belong to the goroutine of run; what takes
// time (listing, asking) runs beside it and answers through a channel.
type watch struct {
	store   *Store
	filters []string
	lister  Lister
	asker   Asker // nil: the lister cannot be asked
	direct  bool  // lister is the store: the stream itself can be asked
	every   time.Duration

	out    chan Event
	wire   chan *nats.Msg // from all subscriptions, in the connection's order
	lists  chan listed
	checks chan checked
	again  chan struct{} // the connection came back

	subs    []*nats.Subscription
	dropped int    // messages that the client dropped, as known
	epoch   uint64 // of the connection that the last list began on
	handled int64  // messages from wire
	front   *front // nil: of a part of the bucket, or of what others list

	state  *state
	fresh  []Event         // to the reader: from a list
	held   backlog[Event]  // to the reader, after fresh: live changes
	early  backlog[record] // live changes that wait for a list, if one is due
	synced bool
	busy   bool // a list is under way
	asking bool // a check is under way
	dirty  bool // something was or may have been missed: list

	gap    time.Duration // between lists
	notYet *time.Timer   // runs until the next list may start
	wait   bool          // notYet is running
	listAt time.Time     // when the last list came in
	behind int           // lists in a row that were older than what was seen
	lags   bool          // the list under way is older
	missed Revision      // what a check found and the wire had not brought yet
}

// listed is a step of a list: its begin, parts, that it caught up with the bucket, and its end.
type listed struct {
	begin, caught, end bool
	entries            []Entry  // of a part
	rev                Revision // begin: what the bucket is at, at least; end: what the list reflects
	err                error    // end: it broke off
}

func (w *watch) run(ctx context.Context) {
	defer close(w.out)
	forget := w.store.conn.OnReconnect(func() {
		select {
		case w.again <- struct{}{}:
		default:
		}
	})
	defer forget()
	defer w.unsubscribe()
	w.notYet = time.NewTimer(0)
	w.wait = true
	w.dirty = true
	check := time.NewTimer(jitter(w.every))
	defer func() { check.Stop(); w.notYet.Stop(); w.drain() }()
	for {
		w.listIfDue(ctx)
		w.advance()
		out, head := w.head()
		var lists <-chan listed // one part is here at a time
		if len(w.fresh) == 0 {
			lists = w.lists
		}
		select {
		case <-ctx.Done():
			return
		case out <- head:
			w.took()
		case m := <-w.wire:
			w.message(m)
		case l := <-lists:
			w.list(l)
		case c := <-w.checks:
			w.asking = false
			if w.checked(c) {
				check.Reset(settleAfter)
			}
		case <-w.again:
			w.dirty, w.wait, w.gap = true, true, 0
			w.notYet.Reset(jitter(minListGap))
		case <-w.notYet.C:
			w.wait = false
		case <-check.C:
			w.check(ctx)
			check.Reset(jitter(w.every))
		}
	}
}

// drain waits for the list and the check under way: ctx has ended, so they are quick.
func (w *watch) drain() {
	for w.busy {
		w.busy = !(<-w.lists).end
	}
	if w.asking {
		<-w.checks
	}
}

// head is what the reader gets next; without anything the channel is nil.
func (w *watch) head() (chan<- Event, Event) {
	if len(w.fresh) > 0 {
		return w.out, w.fresh[0]
	}
	if e, ok := w.held.first(); ok {
		return w.out, e
	}
	return nil, Event{}
}

func (w *watch) took() {
	if len(w.fresh) > 0 {
		w.fresh[0] = Event{}
		w.fresh = w.fresh[1:]
		return
	}
	w.held.pop()
}

// listIfDue starts a list if one is wanted, none is under way, the reader has taken
// what was held (or there would be no room for the difference) and the pause is over.
func (w *watch) listIfDue(ctx context.Context) {
	if !w.dirty || w.busy || w.wait || len(w.fresh) > 0 || !w.held.empty() {
		return
	}
	if err := w.subscribe(); err != nil {
		w.retry()
		return
	}
	w.dirty, w.busy = false, true
	w.epoch = w.store.conn.NC.Stats().Reconnects
	if w.direct {
		w.early.reset() // the list will have all that came before it
	}
	if w.gap == 0 {
		w.gap = minListGap
	}
	w.wait = true
	w.notYet.Reset(jitter(w.gap))
	go func() {
		ctx, cancel := context.WithTimeout(ctx, listTimeout)
		defer cancel()
		w.read(ctx)
	}()
}

// retry asks for another list, later than the last time.
func (w *watch) retry() {
	w.dirty = true
	w.gap = min(max(2*w.gap, minListGap), maxListGap)
	w.wait = true
	w.notYet.Reset(jitter(w.gap))
}

// subscribe subscribes to all filters, once; the client renews subscriptions itself.
func (w *watch) subscribe() error {
	if len(w.subs) > 0 {
		return nil
	}
	for _, f := range w.filters {
		sub, err := w.store.conn.NC.ChanSubscribe(bus.WatchSubject(w.store.bucket, f), w.wire)
		if err != nil {
			w.unsubscribe()
			return err
		}
		w.subs = append(w.subs, sub)
	}
	return nil
}

func (w *watch) unsubscribe() {
	for _, sub := range w.subs {
		// An error means that the connection is closed, and the subscription with it.
		_ = sub.Unsubscribe()
	}
	w.subs = nil
	w.advance()
}

// lost tells whether the client dropped messages since it was last asked.
func (w *watch) lost() bool {
	n := 0
	for _, sub := range w.subs {
		d, err := sub.Dropped()
		if err == nil {
			n += d
		}
	}
	grown := n > w.dropped
	w.dropped = n
	return grown
}

// jitter spreads d over half to one and a half of it.
func jitter(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return d/2 + rand.N(d)
}
