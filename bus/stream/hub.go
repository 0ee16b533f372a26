package stream

import (
	"encoding/hex"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/skerry/skerry/bus"
)

const (
	// pendingFrames and pendingBytes are what may wait here to be looked at: many streams
	// can have a window full on its way at once. What is beyond is lost and comes again.
	pendingFrames = 1 << 20
	pendingBytes  = 256 << 20
)

// noResponders is the status of the server's own reply to a pulse that nobody got.
const noResponders = "503"

// hub is where all streams of a connection come together that have the same end of it: those
// that it dials, or those that it accepts under one name. It has one subscription, however
// many streams there are, and a link to each hub at their other ends.
type hub struct {
	conn   *bus.Conn
	id     ident
	timing timing
	// in is where frames for it arrive. Its wildcard is who sends them.
	in string

	mu      sync.Mutex
	streams map[ident]*Stream
	links   map[string]*link // by the other hub's subject
	replies map[string]*link // by where the server says that the other hub is gone
	serial  int
	rejoin  time.Time // when the connection was last made again
}

// hubKey finds a connection's hub. Tests have some with other timings.
type hubKey struct {
	peer   string
	timing timing
}

// hubOf returns the hub of conn that accepts as peer, or, for "", the one that dials. It
// lives as long as the connection.
func hubOf(conn *bus.Conn, peer string, t timing) (*hub, error) {
	made, err := conn.Shared(hubKey{peer, t}, func() (any, error) {
		h := newHub(conn, peer, t)
		return h, h.open(h.receive)
	})
	if err != nil {
		return nil, err
	}
	return made.(*hub), nil //nolint:forcetypeassert // nothing else has such keys
}

// newHub makes a hub that nothing arrives at yet.
func newHub(conn *bus.Conn, peer string, t timing) *hub {
	h := &hub{conn: conn, id: newIdent(), timing: t, streams: map[ident]*Stream{}, links: map[string]*link{}, replies: map[string]*link{}}
	h.in = bus.StreamSubject(conn.User, "*", h.id.String(), "out")
	if peer != "" {
		h.in = bus.StreamSubject("*", peer, h.id.String(), "in")
	}
	return h
}

// open has receive get what arrives, one message after another.
func (h *hub) open(receive nats.MsgHandler) error {
	sub, err := h.conn.NC.Subscribe(h.in, receive)
	if err == nil {
		err = sub.SetPendingLimits(pendingFrames, pendingBytes)
	}
	if err == nil {
		h.conn.OnReconnect(h.rejoined)
	}
	return err
}

// add makes s known by its name.
func (h *hub) add(s *Stream) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.streams[s.id] != nil {
		return apierrors.NewBadRequest("there is a stream of this name already")
	}
	h.streams[s.id] = s
	return nil
}

// remove forgets s.
func (h *hub) remove(s *Stream) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.streams[s.id] == s {
		delete(h.streams, s.id)
		s.link.leave(s)
	}
}

// stir has s's heartbeat run until it rests.
func (h *hub) stir(s *Stream) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s.link != nil && h.streams[s.id] == s {
		s.link.busy[s] = struct{}{}
	}
}

// rest undoes stir.
func (h *hub) rest(s *Stream) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s.link != nil {
		delete(s.link.busy, s)
	}
}

// join ties s to the hub whose subject is out, from which frames come on subject in, and of
// which something was just heard. It tells whether s is tied to that one.
func (h *hub) join(s *Stream, in, out string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.streams[s.id] != s {
		return false // it ended meanwhile
	}
	if s.link != nil {
		return s.link.out == out
	}
	l := h.links[out]
	if l == nil {
		l = h.newLink(in, out)
	}
	l.alive()
	s.in = l.in
	l.enter(s)
	return true
}

// receive is called by the subscription, for one message after another.
func (h *hub) receive(m *nats.Msg) {
	if len(m.Data) == 0 && m.Header.Get("Status") == noResponders {
		h.nobody(m.Subject)
		return
	}
	id, body, ok := cutIdent(m.Data)
	if !ok || len(body) == 0 {
		return
	}
	s := h.find(m.Subject, id)
	switch other, _, named := cutIdent(body[1:]); {
	case body[0] == kindPulse:
		h.pulsed(bus.StreamBack(m.Subject, id.String()), body)
	case body[0] == kindHello && named:
		out := bus.StreamBack(m.Subject, other.String())
		if s != nil && h.join(s, m.Subject, out) {
			s.greeted(out)
			return
		}
		// Its end here is gone, without the other having heard of it, or is somebody else's.
		_ = h.conn.NC.Publish(out, appendMessage(nil, id, packet{kind: kindBye}))
	case s != nil:
		s.receive(body)
	}
}

// find returns the stream of that name, if what came on subject can be from its peer.
func (h *hub) find(subject string, id ident) *Stream {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.streams[id]
	if s == nil || s.in != "" && s.in != subject {
		return nil
	}
	if s.link != nil {
		s.link.alive()
	}
	return s
}

// ident is the name of a stream or a hub: 128 random bits. Whoever knows a stream's is one
// of its two ends.
type ident [16]byte

func (i ident) String() string { return hex.EncodeToString(i[:]) }

// parseIdent keeps a stranger's name from being more than one token of a subject.
func parseIdent(s string) (i ident, ok bool) {
	if len(s) != hex.EncodedLen(len(i)) {
		return i, false
	}
	_, err := hex.Decode(i[:], []byte(s))
	return i, err == nil
}

func cutIdent(b []byte) (i ident, rest []byte, ok bool) {
	if len(b) < len(i) {
		return i, nil, false
	}
	return ident(b[:len(i)]), b[len(i):], true
}
