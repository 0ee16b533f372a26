package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/skerry/skerry/bus"
)

const (
	// attemptTimeout bounds one request. A synced write takes about a millisecond,
	// a page of a list some ten.
	attemptTimeout = 5 * time.Second
	// lossCheck is how often a waiting request looks whether its connection went:
	// the reply to a request of an earlier connection may never come.
	lossCheck = 100 * time.Millisecond
)

var (
	// errBusy: the server refused for reasons that pass; nothing was stored.
	errBusy = errors.New("server is busy")
	// errLost: the connection went while the request was under way.
	errLost = errors.New("connection lost")
	// errTooMany: more keys match than one multi_last reply takes.
	errTooMany = errors.New("too many results")
)

// attempt bounds one request by time and by the life of the connection it starts on.
func (s *Store) attempt(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeoutCause(ctx, attemptTimeout, fmt.Errorf("no reply within %s", attemptTimeout))
	ctx, lose := context.WithCancelCause(ctx)
	nc := s.conn.NC
	began := nc.Stats().Reconnects
	var t *time.Timer
	t = time.AfterFunc(time.Hour, func() {
		if !nc.IsConnected() || nc.Stats().Reconnects != began {
			lose(errLost)
			return
		}
		if ctx.Err() == nil {
			t.Reset(lossCheck)
		}
	})
	t.Reset(lossCheck)
	return ctx, func() {
		t.Stop()
		lose(context.Canceled)
		cancel()
	}
}

// request sends m and waits for its reply. An error that is errSent's may have
// reached the server; any other has not.
func (s *Store) request(ctx context.Context, m *nats.Msg) (*nats.Msg, error) {
	if !s.conn.NC.IsConnected() {
		return nil, bus.ErrUnreachable
	}
	ctx, stop := s.attempt(ctx)
	defer stop()
	reply, err := s.conn.NC.RequestMsgWithContext(ctx, m)
	if err != nil {
		return nil, requestError(ctx, err)
	}
	return reply, nil
}

// sentError is an error after which the request may have reached the server.
type sentError struct{ err error }

func (e sentError) Error() string { return e.err.Error() }
func (e sentError) Unwrap() error { return e.err }

func requestError(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		return fmt.Errorf("%w: nobody serves the bucket: %w", bus.ErrUnreachable, err)
	case errors.Is(err, nats.ErrMaxPayload):
		return ErrTooLarge
	case errors.Is(err, nats.ErrReconnectBufExceeded), errors.Is(err, nats.ErrConnectionClosed):
		return fmt.Errorf("%w: %w", bus.ErrUnreachable, err)
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return sentError{err}
}

// directGet is the body of a direct get: the leader's or a replica's answer,
// without the API's queue.
type directGet struct {
	Seq       Revision `json:"seq,omitempty"`
	LastFor   string   `json:"last_by_subj,omitempty"`
	NextFor   string   `json:"next_by_subj,omitempty"`
	MultiLast []string `json:"multi_last,omitempty"`
	Batch     int      `json:"batch,omitempty"`
	MaxBytes  int      `json:"max_bytes,omitempty"`
}

// most is how many messages the answer has at most, its end included.
func (q directGet) most() int {
	const multiLast = 1024 // the server's own limit
	n := max(q.Batch, 1)
	if len(q.MultiLast) > 0 {
		n = len(q.MultiLast)
		for _, f := range q.MultiLast {
			if strings.ContainsAny(f, "*>") {
				n = multiLast
			}
		}
	}
	return n + 2
}

func (s *Store) directMsg(q directGet) (*nats.Msg, error) {
	body, err := json.Marshal(q)
	if err != nil {
		return nil, fmt.Errorf("encode get: %w", err)
	}
	m := nats.NewMsg("$JS.API.DIRECT.GET." + s.stream())
	m.Data = body
	return m, nil
}

// page is one answer to a batched direct get.
type page struct {
	records []record
	pending Revision // how many more match
	upTo    Revision // multi_last: the bucket's last revision then
}

// pageOf asks for a batch. No result at all is an empty page with upTo 0.
func (s *Store) pageOf(ctx context.Context, q directGet) (page, error) {
	m, err := s.directMsg(q)
	if err != nil {
		return page{}, err
	}
	if !s.conn.NC.IsConnected() {
		return page{}, bus.ErrUnreachable
	}
	m.Reply = s.conn.NC.NewRespInbox()
	// The request bounds what comes. A channel of the client's own making would have
	// room for 65,536 messages, half a megabyte.
	wire := make(chan *nats.Msg, q.most())
	sub, err := s.conn.NC.ChanSubscribe(m.Reply, wire)
	if err != nil {
		return page{}, fmt.Errorf("subscribe to the reply: %w", err)
	}
	// The connection may be closed by now, and the subscription with it.
	defer func() { _ = sub.Unsubscribe() }()
	ctx, stop := s.attempt(ctx)
	defer stop()
	if err := s.conn.NC.PublishMsg(m); err != nil {
		return page{}, requestError(ctx, err)
	}
	var p page
	for {
		var r *nats.Msg
		select {
		case r = <-wire:
		case <-ctx.Done():
			return page{}, requestError(ctx, ctx.Err())
		}
		done, err := s.addTo(&p, r)
		if err != nil || done {
			return p, err
		}
	}
}

// addTo adds one message of a batch's reply to p; done is its end.
func (s *Store) addTo(p *page, r *nats.Msg) (done bool, err error) {
	switch status := r.Header.Get(headerStatus); status {
	case "":
		rec, err := s.decode(r)
		if err != nil {
			return true, err
		}
		p.records = append(p.records, rec)
		return false, nil
	case "204": // end of batch
		p.pending, p.upTo = number(r.Header, headerPending), number(r.Header, headerUpTo)
		return true, nil
	case "404":
		return true, nil
	case "413":
		return true, errTooMany
	case "503":
		return true, fmt.Errorf("%w: nobody serves the bucket", bus.ErrUnreachable)
	default:
		return true, fmt.Errorf("read bucket %s: server answered %s %s", s.bucket, status, r.Header.Get("Description"))
	}
}
