package store

import (
	"context"
	"fmt"
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
)

// sweep reads every message from revision from on whose subject matches, in no order.
//
// A page of a batched get costs the server a look at every key of the bucket, to tell how many are
// left: 3,000,000 keys, which take 1,500 pages, would keep it busy for an hour, and each look holds up
// all writers. Asking for one message after the other costs the same at every size. So that
// this is quick there are several at it, each in a segment of its own.
//
// What is written meanwhile comes after the last revision at the beginning. It is read in the same way
// afterwards, until there is nothing more: as with pages, a key that moved on while it was looked for is found
// there. One request after the other would fall behind those who write, from where an answer takes long.
func (s *Store) sweep(ctx context.Context, subject string, from Revision) ([]record, error) {
	if subject == s.subject(">") {
		subject = ">" // all the stream has, which the server need not compare
	}
	w := &sweep{
		store: s, subject: subject, inbox: s.conn.NC.NewRespInbox(), wire: make(chan *nats.Msg, sweepers),
		send: s.conn.NC.PublishMsg, attempt: s.attempt, newest: s.askLast,
	}
	sub, err := s.conn.NC.ChanSubscribe(w.inbox+".*", w.wire)
	if err != nil {
		return nil, fmt.Errorf("subscribe to a sweep's replies: %w", err)
	}
	// The connection may be closed by now, and the subscription with it.
	defer func() { _ = sub.Unsubscribe() }()
	if err := w.all(ctx, from); err != nil {
		return nil, err
	}
	return w.found, nil
}

// sweep is one sweep under way.
type sweep struct {
	store   *Store
	subject string
	inbox   string
	wire    chan *nats.Msg // a message for each request
	send    func(*nats.Msg) error
	attempt func(context.Context) (context.Context, context.CancelFunc)
	newest  func(context.Context) (Revision, error)
	at      [sweepers]span // what each sweeper still has to read
	next    Revision       // where the next segment begins
	last    Revision       // where the last one ends
	segment Revision       // how long each is
	none    bool           // somebody came to the end of the stream
	found   []record
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
	busy := 0
	for i := range n {
		took, err := w.take(i)
		if err != nil {
			return requestError(alive, err)
		}
		if took {
			busy++
		}
	}
	began := time.Now()
	for busy > 0 {
		var m *nats.Msg
		select {
		case m = <-w.wire:
		case <-alive.Done():
			return requestError(alive, alive.Err())
		}
		if time.Since(began) > time.Second { // each reply is progress
			stop()
			alive, stop = w.attempt(ctx)
			began = time.Now()
		}
		more, err := w.reply(m, n)
		if err != nil {
			return requestError(alive, err)
		}
		if !more {
			busy--
		}
	}
	return nil
}

// take gives sweeper i the next segment; false if there is none.
func (w *sweep) take(i int) (bool, error) {
	if w.next > w.last {
		return false, nil
	}
	to := min(w.last, w.next+w.segment-1)
	w.at[i] = span{w.next, to}
	w.next = to + 1
	return true, w.ask(i)
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

// reply takes one sweeper's reply and goes on with it; more is false if it has nothing left.
func (w *sweep) reply(m *nats.Msg, n int) (more bool, err error) {
	i, err := strconv.Atoi(m.Subject[strings.LastIndexByte(m.Subject, '.')+1:])
	if err != nil || i < 0 || i >= n {
		return false, fmt.Errorf("sweep: a reply to %s that nobody asked for", m.Subject)
	}
	var p page
	switch _, err := w.store.addTo(&p, m); {
	case err != nil:
		return false, err
	case len(p.records) == 0: // nothing from there on, nor will there be: what is written comes after last
		w.none, w.next = true, w.last+1
		return false, nil
	}
	r := p.records[0]
	if r.Revision > w.at[i].to { // somebody else's, and nothing in between
		w.next = max(w.next, min(r.Revision, w.last+1))
		return w.take(i)
	}
	w.found = append(w.found, r)
	if r.Revision == w.at[i].to {
		return w.take(i)
	}
	w.at[i].from = r.Revision + 1
	return true, w.ask(i)
}
