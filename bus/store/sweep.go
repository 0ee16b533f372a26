package store

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	// sweepFrom is how many more keys there are at least beyond a first page for a sweep to
	// be cheaper than more pages.
	sweepFrom Revision = 20_000
	// sweepers is how many requests of a sweep are under way at once.
	sweepers = 16
	// segment is how many revisions a sweeper reads before it takes the next that nobody has.
	// All are near each other: the server loads whole blocks of a few thousand messages.
	segment = 1024
	// segmentsAhead is how many segments may wait for one before them that takes longer.
	segmentsAhead = 2 * sweepers
)

// sweep reads every message from revision from on whose subject matches, and hands them to take, in the order
// of revisions. Whenever caught is called all is handed on that was there when this began; whatever is stored before it
// returns will have been at the end.
//
// A page of a batched get costs the server a look at every key of the bucket, to tell how many are
// left: 3,000,000 keys, which take 1,500 pages, would keep it busy for an hour, and each look holds up
// all writers. Asking for one message after the other costs the same at every size. So that
// this is quick there are several at it, each in a segment of its own.
//
// What is written meanwhile comes after the last revision at the beginning. It is read in the same way
// afterwards, until there is nothing more: as with pages, a key that moved on while it was looked for is found
// there. One request after the other would fall behind those who write, from where an answer takes long.
func (s *Store) sweep(ctx context.Context, subject string, from Revision, take taker, caught func() error) error {
	if subject == s.subject(">") {
		subject = ">" // all the stream has, which the server need not compare
	}
	w := &sweep{
		store: s, subject: subject, inbox: s.conn.NC.NewRespInbox(), wire: make(chan *nats.Msg, sweepers), hand: take, caught: caught,
		send: s.conn.NC.PublishMsg, attempt: s.attempt, newest: s.askLast,
	}
	sub, err := s.conn.NC.ChanSubscribe(w.inbox+".*", w.wire)
	if err != nil {
		return fmt.Errorf("subscribe to a sweep's replies: %w", err)
	}
	// The connection may be closed by now, and the subscription with it.
	defer func() { _ = sub.Unsubscribe() }()
	return w.all(ctx, from)
}

// sweep is one sweep under way.
type sweep struct {
	store   *Store
	subject string
	inbox   string
	wire    chan *nats.Msg // a message for each request
	hand    taker
	caught  func() error
	send    func(*nats.Msg) error
	attempt func(context.Context) (context.Context, context.CancelFunc)
	newest  func(context.Context) (Revision, error)
	at      [sweepers]*stretch // what each sweeper reads
	idle    []int              // sweepers that read nothing
	order   []*stretch         // those that have not been handed on, by revision
	next    Revision           // where the next segment begins
	last    Revision           // where the last one ends
	segment Revision           // how long each is
	none    bool               // somebody came to the end of the stream
}

// stretch is what is left to be read of a segment, and what was found in it.
type stretch struct {
	span
	found []record
	read  bool
}

// all reads from revision from on, until there is nothing more.
func (w *sweep) all(ctx context.Context, from Revision) error {
	for {
		last, err := w.newest(ctx)
		if err != nil {
			return err
		}
		if err := w.run(ctx, span{from, last}, sweepers); err != nil {
			return err
		}
		if err := w.caught(); err != nil {
			return err
		}
		from = max(from, last+1)
		w.none = false
		if err := w.run(ctx, span{from, from}, 1); err != nil || w.none {
			return err
		}
		from++
	}
}

// span is from one revision to another, both included.
type span struct{ from, to Revision }

// run reads what is in within with n sweepers.
func (w *sweep) run(ctx context.Context, within span, n int) error {
	w.next, w.last = within.from, within.to
	w.segment = min(segment, (within.to-within.from)/Revision(n)+1)
	alive, stop := w.attempt(ctx)
	defer func() { stop() }()
	w.idle = w.idle[:0]
	for i := range n {
		w.idle = append(w.idle, i)
	}
	if err := w.employ(); err != nil {
		return requestError(alive, err)
	}
	began := time.Now()
	for len(w.order) > 0 {
		if time.Since(began) > time.Second { // each reply is progress, and whoever takes what was found takes his time
			stop()
			alive, stop = w.attempt(ctx)
			began = time.Now()
		}
		var m *nats.Msg
		select {
		case m = <-w.wire:
		case <-alive.Done():
			return requestError(alive, alive.Err())
		}
		if err := w.reply(m); err != nil {
			return requestError(alive, err)
		}
	}
	return nil
}

// employ gives idle sweepers segments that nobody has, while there are any and not too many wait.
func (w *sweep) employ() error {
	for len(w.idle) > 0 && w.next <= w.last && len(w.order) < segmentsAhead {
		i := w.idle[0]
		w.idle = w.idle[1:]
		s := &stretch{span: span{w.next, min(w.last, w.next+w.segment-1)}}
		w.at[i], w.order = s, append(w.order, s)
		w.next = s.to + 1
		if err := w.ask(i); err != nil {
			return err
		}
	}
	return nil
}

// ask sends sweeper i's next request.
func (w *sweep) ask(i int) error {
	m, err := w.store.directMsg(directGet{NextFor: w.subject, Seq: w.at[i].from})
	if err != nil {
		return err
	}
	m.Reply = w.inbox + "." + strconv.Itoa(i)
	return w.send(m)
}

// reply takes one sweeper's reply and goes on with it.
func (w *sweep) reply(m *nats.Msg) error {
	i, err := strconv.Atoi(m.Subject[strings.LastIndexByte(m.Subject, '.')+1:])
	if err != nil || i < 0 || i >= sweepers || w.at[i] == nil {
		return fmt.Errorf("sweep: a reply to %s that nobody asked for", m.Subject)
	}
	s := w.at[i]
	var p page
	switch _, err := w.store.addTo(&p, m); {
	case err != nil:
		return err
	case len(p.records) == 0: // nothing from there on, nor will there be: what is written comes after last
		s.read, w.none, w.next = true, true, w.last+1
	case p.records[0].Revision > s.to: // somebody else's, and nothing in between
		s.read, w.next = true, max(w.next, min(p.records[0].Revision, w.last+1))
	default:
		r := p.records[0]
		s.found, s.from, s.read = append(s.found, r), r.Revision+1, r.Revision == s.to
	}
	if !s.read {
		return w.ask(i)
	}
	w.at[i], w.idle = nil, append(w.idle, i)
	if err := w.handOn(); err != nil {
		return err
	}
	return w.employ()
}

// handOn hands on what was found up to the first stretch that is not read.
func (w *sweep) handOn() error {
	for len(w.order) > 0 && w.order[0].read {
		found := w.order[0].found
		w.order = slices.Delete(w.order, 0, 1)
		if err := w.hand(found); err != nil {
			return err
		}
	}
	return nil
}
