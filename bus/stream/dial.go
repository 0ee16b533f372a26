package stream

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/status"
)

// Headers of the request that opens a stream, and of its reply.
const (
	// HeaderStream proposes the stream's id, and confirms it.
	HeaderStream = "Skerry-Stream"
	// HeaderPeer is the <peer> token of the stream's subjects, unescaped.
	HeaderPeer = "Skerry-Peer"
	// HeaderHub names the sender's hub, to which the frames go.
	HeaderHub = "Skerry-Hub"
	// HeaderErrorCode and HeaderError are those of NATS' service framework, so that
	// its tools see refusals; the payload is the whole Status.
	HeaderErrorCode = "Nats-Service-Error-Code"
	HeaderError     = "Nats-Service-Error"
)

// dialTimeout bounds how long a handler may take to accept.
const dialTimeout = 30 * time.Second

// Dial opens a stream by a request on subject (a NodeSubject or APISubject) with
// hello as its payload. A refusal comes back as the Status error that the handler
// returned; bus.ErrUnreachable is wrapped if nobody serves the subject; a Timeout
// Status if the handler does not accept in time. ctx bounds only the opening.
func Dial(ctx context.Context, conn *bus.Conn, subject string, hello []byte) (*Stream, error) {
	return dial(ctx, conn, subject, hello, defaultTiming())
}

func dial(ctx context.Context, conn *bus.Conn, subject string, hello []byte, t timing) (*Stream, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	h, err := hubOf(conn, "", t)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w: %w", subject, bus.ErrUnreachable, err)
	}
	// Before the request, so that the first frames find it. The peer is not known yet;
	// nobody else knows its name.
	s := newStream(h, newIdent())
	if err := h.add(s); err != nil {
		return nil, fmt.Errorf("dial %s: %w", subject, err)
	}
	m := nats.NewMsg(subject)
	m.Data = hello
	m.Header.Set(HeaderStream, s.id.String())
	m.Header.Set(HeaderHub, h.id.String())
	if trace := bus.TraceOf(ctx); trace != "" {
		m.Header.Set(bus.TraceHeader, trace)
	}
	reply, err := conn.Exchange(ctx, m, 0)
	if err == nil {
		err = refusal(reply)
	} else {
		err = dialError(subject, err)
	}
	if err != nil {
		s.abandon()
		return nil, err
	}
	s.meet(conn.User, reply.Header.Get(HeaderPeer), reply.Header.Get(HeaderHub))
	s.mu.Lock()
	s.met = true
	s.mu.Unlock()
	s.beat(false) // the other side knows by it that the reply came
	return s, nil
}

// Take opens the other end of a stream that Offer made for this user.
func Take(conn *bus.Conn, peer, name string) (*Stream, error) {
	first, second, _ := strings.Cut(name, ".")
	_, ok := parseIdent(first)
	id, is := parseIdent(second)
	if !ok || !is {
		return nil, fmt.Errorf("take stream: bad name %q", name)
	}
	h, err := hubOf(conn, "", defaultTiming())
	if err != nil {
		return nil, fmt.Errorf("take stream: %w", err)
	}
	s := newStream(h, id)
	if err := h.add(s); err != nil {
		return nil, fmt.Errorf("take stream: %w", err)
	}
	s.meet(conn.User, peer, first)
	s.hello() // the offering side waits for it
	return s, nil
}

// abandon frees a stream that was not opened. An other end that is known of hears of it.
func (s *Stream) abandon() {
	s.mu.Lock()
	s.failLocked(errors.New("stream: not opened"))
	s.mu.Unlock()
	s.publish(packet{kind: kindBye})
}

// meet ties a stream that was dialled to the peer's hub of that name. Until then this end
// publishes nothing.
func (s *Stream) meet(who bus.User, peer, name string) {
	in := bus.StreamSubject(who, peer, s.hub.id.String(), "out")
	out := bus.StreamBack(in, name)
	if s.hub.join(s, in, out) {
		s.wire.Lock()
		s.out = out
		s.wire.Unlock()
	}
	s.mu.Lock()
	ended := s.end != nil
	s.mu.Unlock()
	if ended { // it came before it could be acknowledged
		s.publish(packet{kind: kindAck})
	}
}

// refusal returns the error that a reply carries, if it is one.
func refusal(m *nats.Msg) error {
	if m.Header.Get(HeaderErrorCode) != "" {
		return status.Decode(m.Data)
	}
	if _, ok := parseIdent(m.Header.Get(HeaderHub)); !ok {
		return apierrors.NewInternalError(errors.New("dial: the reply is not a stream's"))
	}
	return nil
}

func dialError(subject string, err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("dial %s: %w: %w", subject, apierrors.NewTimeoutError("the other side did not accept in time", 0), err)
	}
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("dial %s: %w", subject, err)
	}
	return fmt.Errorf("dial %s: %w: %w", subject, bus.ErrUnreachable, err)
}

func newIdent() (i ident) {
	_, _ = rand.Read(i[:]) // never fails since Go 1.24
	return i
}
