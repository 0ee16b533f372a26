package stream

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/status"
)

// Acceptor answers stream requests that somebody else's subscription receives.
type Acceptor struct {
	conn   *bus.Conn
	peer   string
	timing timing
	// hails: the dialler is asked at once whether it has heard of its stream. It may have given up while
	// it was accepted; what is done for it then would go on until a heartbeat shows that.
	hails bool

	mu      sync.Mutex
	free    int
	closing bool
	running sync.WaitGroup
}

// NewAcceptor returns an acceptor for at most limit streams at once. Its owner
// calls Wait at the end.
func NewAcceptor(conn *bus.Conn, peer string, limit int) *Acceptor {
	return &Acceptor{conn: conn, peer: peer, timing: defaultTiming(), free: limit}
}

// Wait refuses what comes from now on and waits for running handlers.
func (a *Acceptor) Wait() {
	a.mu.Lock()
	a.closing = true
	a.mu.Unlock()
	a.running.Wait()
}

// take takes one of the free places, or says why there is none.
func (a *Acceptor) take(ctx context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.closing || ctx.Err() != nil:
		return apierrors.NewServiceUnavailable("the service is stopping")
	case a.free == 0:
		return apierrors.NewTooManyRequests("too many streams are open", 1)
	}
	a.free--
	a.running.Add(1)
	return nil
}

func (a *Acceptor) release() {
	a.mu.Lock()
	a.free++
	a.mu.Unlock()
	a.running.Done()
}

// Accept starts h for the request m and returns at once. ctx is the service's: its
// end ends the handler.
func (a *Acceptor) Accept(ctx context.Context, m *nats.Msg, h Handler) {
	who, ok := a.admit(ctx, m)
	if !ok {
		return
	}
	go func() {
		defer a.release()
		a.run(ctx, m, who, h)
	}()
}

// admit takes a place for the stream that m asks for, or refuses it.
func (a *Acceptor) admit(ctx context.Context, m *nats.Msg) (who bus.User, ok bool) {
	who, err := userOf(m.Subject)
	if err == nil {
		err = proposal(m)
	}
	if err == nil {
		err = a.take(ctx)
	}
	if err != nil {
		a.refuse(m, err)
	}
	return who, err == nil
}

// run calls the handler, and ends what it accepted.
func (a *Acceptor) run(service context.Context, m *nats.Msg, who bus.User, h Handler) {
	ctx, cancel := context.WithCancel(bus.WithTrace(service, m.Header.Get(bus.TraceHeader)))
	defer cancel()
	var s *Stream
	accept := func() (*Stream, error) {
		if s != nil {
			return s, nil
		}
		var err error
		s, err = a.open(m, who, cancel)
		return s, err
	}
	err := a.call(m.Subject, func() error { return h(ctx, who, m.Data, accept) })
	if s != nil {
		finish(service, s, err)
		return
	}
	if err == nil {
		err = errors.New("the handler did not accept")
	}
	a.refuse(m, stopping(service, err))
}

// finish ends a stream that was accepted: err is what the other side gets.
func finish(service context.Context, s *Stream, err error) {
	// An error means that the stream is over already: there is nobody to tell.
	_ = s.CloseSend(stopping(service, err))
	s.linger()
	_ = s.Close()
}

// stopping is err, or that the service is about to end if that is why.
func stopping(service context.Context, err error) error {
	if service.Err() != nil && errors.Is(err, context.Canceled) {
		return apierrors.NewServiceUnavailable("the service is stopping")
	}
	return err
}

// call turns a panic into an error: one bad request must not end the service.
func (a *Acceptor) call(subject string, h func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			a.conn.Log.Error("stream handler panicked", "subject", subject, "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return h()
}

// proposal checks the names that a request gives to its stream and hub.
func proposal(m *nats.Msg) error {
	for _, name := range []string{HeaderStream, HeaderHub} {
		if _, ok := parseIdent(m.Header.Get(name)); !ok {
			return apierrors.NewBadRequest("the request proposes no stream")
		}
	}
	return nil
}

// open makes this end of the stream that m proposes, and tells the other.
func (a *Acceptor) open(m *nats.Msg, who bus.User, onDone func()) (*Stream, error) {
	h, err := hubOf(a.conn, a.peer, a.timing)
	if err != nil {
		return nil, fmt.Errorf("accept stream: %w", err)
	}
	id, _ := parseIdent(m.Header.Get(HeaderStream)) // checked by proposal
	s := newStream(h, id)
	s.onDone = onDone
	in := bus.StreamSubject(who, a.peer, h.id.String(), "in")
	s.out = bus.StreamBack(in, m.Header.Get(HeaderHub))
	if err := h.add(s); err != nil {
		return nil, fmt.Errorf("accept stream: %w", err)
	}
	h.join(s, in, s.out)
	reply := nats.NewMsg(m.Reply)
	reply.Header.Set(HeaderStream, id.String())
	reply.Header.Set(HeaderPeer, a.peer)
	reply.Header.Set(HeaderHub, h.id.String())
	if err := a.conn.NC.PublishMsg(reply); err != nil {
		s.abandon()
		return nil, fmt.Errorf("accept stream: %w", err)
	}
	if a.hails {
		s.hello()
	}
	return s, nil
}

func (a *Acceptor) refuse(m *nats.Msg, err error) {
	if m.Reply == "" {
		return
	}
	st := status.Of(err)
	if st.Code >= 500 {
		a.conn.Log.Warn("refused a stream", "subject", m.Subject, "error", err)
	}
	reply := nats.NewMsg(m.Reply)
	reply.Header.Set(HeaderErrorCode, strconv.Itoa(int(st.Code)))
	reply.Header.Set(HeaderError, string(st.Reason))
	reply.Data = status.Encode(err)
	if err := a.conn.NC.PublishMsg(reply); err != nil {
		a.conn.Log.Warn("refuse a stream", "subject", m.Subject, "error", err)
	}
}

// Offer makes a stream that who can Take by the name returned. Nothing is sent
// before the taker was heard; without one it is lost after 15 seconds.
func Offer(conn *bus.Conn, who bus.User, peer string) (s *Stream, name string, err error) {
	h, err := hubOf(conn, peer, defaultTiming())
	if err != nil {
		return nil, "", fmt.Errorf("offer stream: %w", err)
	}
	s = newStream(h, newIdent())
	s.held = true
	s.in = bus.StreamSubject(who, peer, h.id.String(), "in")
	if err := h.add(s); err != nil {
		return nil, "", fmt.Errorf("offer stream: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taking = time.AfterFunc(s.hub.timing.lost, func() { s.fail(ErrPeerLost) })
	return s, h.id.String() + "." + s.id.String(), nil
}

// userOf returns who asks, from api.<user>.… or node.<node>.<user>.….
func userOf(subject string) (bus.User, error) {
	p := strings.Split(subject, ".")
	i := 1
	if p[0] == "node" {
		i = 2
	}
	if (p[0] != "api" && p[0] != "node") || len(p) <= i {
		return "", apierrors.NewBadRequest(fmt.Sprintf("subject %q names no user", subject))
	}
	u, err := bus.Unescape(p[i])
	if err != nil || u == "" {
		return "", apierrors.NewBadRequest(fmt.Sprintf("subject %q names no user", subject))
	}
	return bus.User(u), nil
}
