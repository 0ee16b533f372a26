// Package stream carries byte frames both ways between a user and an agent or
// the apiserver: watches, logs, exec. Nobody listens on a port.
//
// It reads and writes only subjects stream.<user>.<peer>.<hub>.in and .out, after a
// request on the subject that is dialled. The frames' layout is in packet.go. All streams
// of a connection share a subscription (hub.go), and all between two connections a
// heartbeat (link.go): one that rests costs memory and nothing else.
//
// What always holds: frames arrive in order, once, or the stream ends with an
// error; frames that a broken connection swallowed are sent again; a slow reader stops the
// writer (credits in bytes), so neither side's memory grows; a peer that vanishes ends the
// stream within 15 seconds, and within some 10 if its connection is closed; one that forgot
// the stream, within half a minute or so (longer if there are thousands between the two); a stream that failed or was closed keeps no timer or goroutine.
package stream

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"
)

var (
	// ErrPeerLost: no sign of life for 15 seconds.
	ErrPeerLost = errors.New("stream: the other side is gone")
	// ErrGap: frames were lost on the way, for good.
	ErrGap = errors.New("stream: frames lost")
)

const (
	// MaxFrame is the most data of one frame; Send splits what is longer.
	MaxFrame = 64 << 10
	// window is how much may be on its way and unread in each direction.
	window = 256 << 10
	// frameCost is what a frame counts for beside its data, so that empty frames
	// are not free.
	frameCost = 64
)

// Frame is one message of a stream: a channel (stdin, stdout, … as the user of the
// stream defines it) and up to 64 KiB of data; longer data is split by Send.
type Frame struct {
	Channel byte
	Data    []byte
}

// timing is shortened by tests of the package.
type timing struct {
	beat   time.Duration // between heartbeats
	absent time.Duration // how long nobody may be subscribed at the other end
	lost   time.Duration // silence after which the peer is gone
	ack    time.Duration // how long the end waits to be acknowledged
}

func defaultTiming() timing {
	return timing{beat: 5 * time.Second, absent: 5 * time.Second, lost: 15 * time.Second, ack: 15 * time.Second}
}

// Stream is one end. Send and Recv may be called from different goroutines, and
// Send from several at once; only one goroutine at a time may Recv.
type Stream struct {
	hub *hub
	id  ident

	// link and in are the hub's: the way to the other end, nil before that is known, and
	// the subject of what comes from there, "" if that may be any.
	link *link
	in   string

	done chan struct{} // closed when the stream failed or was closed

	// wire orders what is published: sequence numbers and beats that name them. It comes
	// before mu.
	wire  sync.Mutex
	out   string // the subject of the peer's hub; "" before that is known
	sent  uint64 // frames published
	kept  kept   // those that the peer may not have
	ended bool   // the end was published
	// When frames were last sent again, and behind which.
	again     time.Time
	againFrom uint64

	mu     sync.Mutex
	onDone func() // called when the stream is over; may be nil
	// Each is made when somebody first waits for it: most streams rest.
	sending chan struct{} // held during a whole Send: its frames are not interleaved
	canSend chan struct{} // one token: something changed for a sender
	canRecv chan struct{} // one token: something changed for the reader
	acked   chan struct{} // closed when the peer has this end's end

	failed error       // why the stream is over; io.ErrClosedPipe after Close
	gap    time.Time   // since when frames are missing; zero: none are
	asked  time.Time   // when they were last asked for
	bye    bool        // the peer closed
	met    bool        // something came from the other end
	busy   bool        // there may be something to tell it
	taking *time.Timer // until somebody must have taken an offer

	spent  uint64 // bytes sent
	read   uint64 // bytes that the peer has read of them
	held   bool   // nothing may be sent before the peer was heard
	ending bool   // CloseSend was called
	isAck  bool

	queue     []Frame
	received  uint64 // frames
	told      uint64 // received as the peer knows it
	arrived   uint64 // bytes
	consumed  uint64 // bytes of them that Recv gave out
	announced uint64 // consumed as the peer knows it
	end       error  // what Recv returns after the queue; nil before the peer's end
}

func newStream(h *hub, id ident) *Stream {
	return &Stream{hub: h, id: id, busy: true, done: make(chan struct{})}
}

// token returns *c, which it makes if nobody has waited for it yet. It needs s.mu.
func token(c *chan struct{}) chan struct{} {
	if *c == nil {
		*c = make(chan struct{}, 1)
	}
	return *c
}

// stir has the heartbeat tell what changed. It needs s.mu.
func (s *Stream) stir() {
	if !s.busy {
		s.busy = true
		s.hub.stir(s)
	}
}

// tick tells the other end what it may not know, for as long as there is something.
func (s *Stream) tick() {
	s.mu.Lock()
	if s.failed != nil || s.rests() {
		s.busy = false
		s.hub.rest(s)
		s.mu.Unlock()
		return
	}
	met, answer := s.met, s.unsettled()
	s.mu.Unlock()
	if !met {
		s.hello()
	}
	s.beat(answer)
}

// rests tells whether both ends know all of each other. It needs s.mu.
func (s *Stream) rests() bool {
	return s.met && !s.unsettled() && s.gap.IsZero() && s.consumed == s.announced && s.received == s.told
}

// unsettled tells whether something was sent of which the peer has not said that it was
// read. It needs s.mu.
func (s *Stream) unsettled() bool { return s.spent != s.read || s.ending && !s.isAck }

// fail ends the stream for both directions and frees what it holds. Frames that
// arrived before stay readable. The peer is told, as well as that can be done.
func (s *Stream) fail(err error) {
	s.mu.Lock()
	farewell := s.failed == nil
	s.failLocked(err)
	s.mu.Unlock()
	if farewell {
		s.publish(packet{kind: kindBye})
	}
}

func (s *Stream) failLocked(err error) {
	if s.failed != nil {
		return
	}
	s.failed = err
	close(s.done)
	wake(s.canRecv) // who waits for Arrival waits for nothing else
	if s.onDone != nil {
		s.onDone()
	}
	if s.taking != nil {
		s.taking.Stop()
	}
	s.hub.remove(s)
}

// CloseSend tells the other side that no more frames come, with an error or nil.
// A Kubernetes Status error arrives as a Status error. It does not wait for the
// other side. A Send that is blocked gives up with io.ErrClosedPipe.
func (s *Stream) CloseSend(err error) error {
	s.mu.Lock()
	if s.failed != nil || s.ending {
		defer s.mu.Unlock()
		return s.sendErr()
	}
	s.ending = true
	s.stir()
	wake(s.canSend)
	sending := token(&s.sending)
	s.mu.Unlock()
	sending <- struct{}{} // short: a waiting Send has just been woken to give up
	defer func() { <-sending }()
	return s.publishEnd(err)
}

// linger waits until the peer has all that was sent, if the end was.
func (s *Stream) linger() {
	s.wire.Lock()
	ended := s.ended
	s.wire.Unlock()
	if ended {
		s.waitAck(context.Background())
	}
}

// waitAck waits until the peer has this end's end, the stream is over, or it
// takes too long.
func (s *Stream) waitAck(ctx context.Context) {
	s.mu.Lock()
	if s.isAck {
		s.mu.Unlock()
		return
	}
	acked := token(&s.acked) // which all that wait share
	s.mu.Unlock()
	t := time.NewTimer(s.hub.timing.ack)
	defer t.Stop()
	select {
	case <-acked:
	case <-s.done:
	case <-t.C:
	case <-ctx.Done():
	}
}

// Close ends both directions and frees what they hold. The other side's Recv
// gets io.ErrUnexpectedEOF if no end was sent before.
func (s *Stream) Close() error {
	s.mu.Lock()
	farewell := !s.bye && s.failed == nil
	s.failLocked(io.ErrClosedPipe)
	s.failed = io.ErrClosedPipe
	s.queue = nil
	s.mu.Unlock()
	if farewell {
		s.publish(packet{kind: kindBye})
	}
	return nil
}

// wake gives c a token, if anybody has waited for it. It needs the stream's mu.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
