package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/skerry/skerry/bus"
)

// post publishes w once. answered is called with what came of it: once, maybe before post
// returns, and on the goroutine that takes all answers in, so it must not wait for another. A
// goroutine that waited for this one would be one more to wake for each write.
func (s *Store) post(w *write, answered func(Revision, error)) {
	p, err := postOf(s.conn)
	if err != nil {
		answered(0, err)
		return
	}
	p.send(s.message(w, "", 0, false), answered)
}

// office matches acknowledgements to the writes that they are for, over one subscription for
// all of a connection's.
type office struct {
	nc     *nats.Conn
	prefix string // of the subjects of replies

	mu      sync.Mutex
	next    uint64
	waiting map[string]*posted // by the last token of its reply's subject
	looking bool               // a look at them is due
}

// posted is a write that waits for its acknowledgement.
type posted struct {
	answered func(Revision, error)
	at       time.Time
	epoch    uint64 // of the connection that it went out on
}

type officeKey struct{}

// postOf returns the connection's office.
func postOf(conn *bus.Conn) (*office, error) {
	made, err := conn.Shared(officeKey{}, func() (any, error) {
		o := &office{nc: conn.NC, prefix: conn.NC.NewInbox() + ".", waiting: map[string]*posted{}}
		_, err := conn.NC.Subscribe(o.prefix+"*", o.receive)
		return o, err
	})
	if err != nil {
		return nil, fmt.Errorf("%w: subscribe to acknowledgements: %w", bus.ErrUnreachable, err)
	}
	return made.(*office), nil // the key's type
}

func (o *office) send(m *nats.Msg, answered func(Revision, error)) {
	if !o.nc.IsConnected() {
		answered(0, bus.ErrUnreachable)
		return
	}
	token := o.expect(answered)
	m.Reply = o.prefix + token
	if err := o.nc.PublishMsg(m); err != nil {
		o.answer(token, 0, requestError(context.Background(), err))
	}
}

// expect makes the token under which answered will be called.
func (o *office) expect(answered func(Revision, error)) string {
	p := &posted{answered: answered, at: time.Now(), epoch: o.nc.Stats().Reconnects}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.next++
	token := strconv.FormatUint(o.next, 36)
	o.waiting[token] = p
	if !o.looking {
		o.looking = true
		time.AfterFunc(lossCheck, o.look)
	}
	return token
}

// answer hands on what came of a write. Whatever comes after that is too late.
func (o *office) answer(token string, rev Revision, err error) {
	o.mu.Lock()
	p := o.waiting[token]
	delete(o.waiting, token)
	o.mu.Unlock()
	if p != nil {
		p.answered(rev, err)
	}
}

// receive takes an acknowledgement.
func (o *office) receive(m *nats.Msg) {
	token := strings.TrimPrefix(m.Subject, o.prefix)
	if len(m.Data) == 0 && m.Header.Get(headerStatus) == "503" {
		o.answer(token, 0, requestError(context.Background(), nats.ErrNoResponders))
		return
	}
	rev, err := acknowledged(m.Data)
	o.answer(token, rev, err)
}

// look gives up what will not be answered any more, every now and then while anything waits.
func (o *office) look() {
	gone := o.lost(o.nc.IsConnected(), o.nc.Stats().Reconnects, time.Now())
	for token, err := range gone {
		o.answer(token, 0, err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.looking = len(o.waiting) > 0
	if o.looking {
		time.AfterFunc(lossCheck, o.look)
	}
}

// lost is what will not be answered: it went out on another connection than that of now, if there
// is one, or long ago.
func (o *office) lost(up bool, epoch uint64, now time.Time) map[string]error {
	o.mu.Lock()
	defer o.mu.Unlock()
	gone := map[string]error{}
	for token, p := range o.waiting {
		switch {
		case !up || p.epoch != epoch:
			gone[token] = sentError{errLost}
		case now.Sub(p.at) > attemptTimeout:
			gone[token] = sentError{fmt.Errorf("no reply within %s", attemptTimeout)}
		}
	}
	return gone
}
