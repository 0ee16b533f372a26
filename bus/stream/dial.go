package stream

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
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
	id := newID()
	s := newStream(conn, "", "", t)
	// Before the request, so that the first frames find a subscription. The peer is
	// not known yet; nobody else knows the id.
	if err := s.open(bus.StreamSubject(conn.User, "*", id, "out")); err != nil {
		return nil, fmt.Errorf("dial %s: %w: %w", subject, bus.ErrUnreachable, err)
	}
	m := nats.NewMsg(subject)
	m.Data = hello
	m.Header.Set(HeaderStream, id)
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
	peer := reply.Header.Get(HeaderPeer)
	s.setPeer(bus.StreamSubject(conn.User, peer, id, "out"), bus.StreamSubject(conn.User, peer, id, "in"))
	return s, nil
}

// Take opens the other end of a stream that Offer made for this user.
func Take(conn *bus.Conn, peer, id string) (*Stream, error) {
	if !validID(id) {
		return nil, fmt.Errorf("take stream: bad id %q", id)
	}
	s := newStream(conn, bus.StreamSubject(conn.User, peer, id, "out"), bus.StreamSubject(conn.User, peer, id, "in"), defaultTiming())
	if err := s.open(s.in); err != nil {
		return nil, fmt.Errorf("take stream: %w", err)
	}
	s.beat(false) // the offering side waits for it
	return s, nil
}

// abandon frees a stream that has no other end.
func (s *Stream) abandon() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failLocked(errors.New("stream: not opened"))
}

// setPeer names the peer's subjects. Until then this end publishes nothing.
func (s *Stream) setPeer(in, out string) {
	s.wire.Lock()
	s.in, s.out = in, out
	s.wire.Unlock()
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
	if m.Header.Get(HeaderStream) == "" {
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

// newID returns 128 random bits: whoever knows an id is one of the two ends.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails since Go 1.24
	return hex.EncodeToString(b[:])
}

// validID keeps a stranger's id from being more than one token of a subject.
func validID(id string) bool {
	if len(id) != 32 {
		return false
	}
	_, err := hex.DecodeString(id)
	return err == nil
}
