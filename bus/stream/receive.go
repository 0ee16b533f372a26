package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/skerry/skerry/bus/status"
)

var errOverrun = errors.New("stream: the other side sent more than it was allowed")

// Recv returns the next frame, io.EOF after the other side's CloseSend(nil), the
// other side's error after CloseSend(err), io.ErrUnexpectedEOF if it closed without
// either, ErrPeerLost or ErrGap; io.ErrClosedPipe after Close. The frame's data is
// the caller's.
func (s *Stream) Recv(ctx context.Context) (Frame, error) {
	for {
		f, ok, credit, err := s.take()
		if credit {
			s.beat(false)
		}
		if ok || err != nil {
			return f, err
		}
		select {
		case <-s.Arrival():
		case <-s.done:
		case <-ctx.Done():
			return Frame{}, ctx.Err()
		}
	}
}

// Arrival returns a channel from which something can be received when Recv may have
// something to return, or after Nudge. To wait for one channel takes the least memory.
func (s *Stream) Arrival() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := token(&s.canRecv)
	if s.pending() {
		wake(c)
	}
	return c
}

// Nudge has who waits for Arrival look up.
func (s *Stream) Nudge() {
	s.mu.Lock()
	defer s.mu.Unlock()
	wake(token(&s.canRecv))
}

// Pending tells whether Recv would return at once.
func (s *Stream) Pending() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pending()
}

// pending needs s.mu.
func (s *Stream) pending() bool { return len(s.queue) > 0 || s.end != nil || s.failed != nil }

// take returns the next frame or the reason why none will come, and whether
// it is time to give the peer new credit.
func (s *Stream) take() (f Frame, ok, credit bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) > 0 {
		f = s.queue[0]
		s.queue[0] = Frame{}
		s.queue = s.queue[1:]
		if len(s.queue) == 0 {
			s.queue = nil
		}
		s.consumed += uint64(len(f.Data) + frameCost)
		s.stir()
		return f, true, s.consumed-s.announced >= window/4 && s.end == nil, nil
	}
	if errors.Is(s.failed, io.ErrClosedPipe) {
		return f, false, false, s.failed
	}
	if s.end != nil {
		return f, false, false, s.end
	}
	return f, false, false, s.failed
}

// receive takes in what came from the other end, one packet after another.
func (s *Stream) receive(b []byte) {
	p, err := parsePacket(b)
	if err != nil {
		s.fail(err)
		return
	}
	s.mu.Lock()
	var do reaction
	farewell := false
	if s.failed == nil {
		s.met = true
		do = s.apply(p)
		farewell = s.failed != nil && !s.bye
	}
	s.mu.Unlock()
	if farewell {
		s.publish(packet{kind: kindBye})
	}
	if do.settle {
		s.settle(p.got, p.again)
	}
	if do.ack {
		s.publish(packet{kind: kindAck})
	}
	if do.beat {
		s.beat(false)
	}
}

// greeted learns where the other end is, if it was not known, and answers.
func (s *Stream) greeted(out string) {
	s.wire.Lock()
	if s.out == "" {
		s.out = out
	}
	s.wire.Unlock()
	s.mu.Lock()
	s.met, s.held = true, false
	if s.taking != nil {
		s.taking.Stop()
	}
	wake(s.canSend)
	s.mu.Unlock()
	s.beat(false)
}

// reaction is what a packet calls for.
type reaction struct{ ack, beat, settle bool }

// apply takes one packet in and says what to do about it. It needs s.mu.
func (s *Stream) apply(p packet) (do reaction) {
	switch p.kind {
	case kindData, kindEnd:
		return s.applyFrame(p)
	case kindBeat:
		// More than was sent cannot have been read: it would widen the window.
		if p.read > s.read && p.read <= s.spent {
			s.read = p.read
		}
		wake(s.canSend)
		return reaction{beat: p.seq > s.received && s.missing() || p.answer, settle: p.got > 0 || p.again}
	case kindAck:
		s.acknowledged()
	case kindBye:
		s.bye = true
		s.failLocked(io.ErrUnexpectedEOF)
	}
	return do
}

// acknowledged notes that the peer has this end's end, if that was sent. It needs s.mu.
func (s *Stream) acknowledged() {
	if s.ending && !s.isAck {
		s.isAck = true
		if s.acked != nil {
			close(s.acked)
		}
	}
}

// missing notes that frames were lost, and tells whether it is time to ask for them:
// once, and again if they do not come. A gap that stays is the end. It needs s.mu.
func (s *Stream) missing() bool {
	now := time.Now()
	switch {
	case s.gap.IsZero():
		s.gap = now
		s.stir()
	case now.Sub(s.gap) > s.hub.timing.lost:
		s.failLocked(fmt.Errorf("%w after frame %d", ErrGap, s.received))
		return false
	case now.Sub(s.asked) < s.hub.timing.beat/5:
		return false
	}
	s.asked = now
	return true
}

// asking tells whether frames are known to be missing. It needs s.mu.
func (s *Stream) asking() bool { return !s.gap.IsZero() }

// applyFrame queues a frame or notes the end. It needs s.mu.
func (s *Stream) applyFrame(p packet) (do reaction) {
	if p.seq <= s.received {
		return reaction{ack: p.kind == kindEnd} // a repetition
	}
	if s.end != nil {
		s.failLocked(fmt.Errorf("%w: got frame %d after the end", ErrGap, p.seq))
		return do
	}
	if p.seq != s.received+1 {
		return reaction{beat: s.missing()} // it comes again, behind what is missing
	}
	s.received, s.gap = p.seq, time.Time{}
	s.stir()
	defer wake(s.canRecv)
	if p.kind == kindEnd {
		s.end = io.EOF
		if len(p.data) > 0 {
			s.end = status.Decode(p.data)
		}
		return reaction{ack: true}
	}
	s.arrived += uint64(len(p.data) + frameCost)
	if s.arrived-s.consumed > window {
		s.failLocked(errOverrun)
		return do
	}
	s.queue = append(s.queue, Frame{Channel: p.channel, Data: p.data})
	return do
}
