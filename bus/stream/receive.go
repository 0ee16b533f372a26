package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/skerry/skerry/bus/status"
)

var errOverrun = errors.New("stream: the other side sent more than it was allowed")

// noResponders is the status of the server's own reply to a beat that nobody got.
const noResponders = "503"

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
		case <-s.canRecv:
		case <-s.done:
		case <-ctx.Done():
			return Frame{}, ctx.Err()
		}
	}
}

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

// receive is called by the subscription, for one message after another.
func (s *Stream) receive(m *nats.Msg) {
	if len(m.Data) == 0 && m.Header.Get("Status") == noResponders {
		s.nobody()
		return
	}
	p, err := parsePacket(m.Data)
	if err != nil {
		s.fail(err)
		return
	}
	var ack, answer, farewell bool
	s.mu.Lock()
	if s.failed == nil {
		s.heard, s.absent = time.Now(), time.Time{}
		ack, answer = s.apply(p)
		farewell = s.failed != nil && !s.bye
	}
	s.mu.Unlock()
	if farewell {
		s.publish(packet{kind: kindBye})
	}
	if ack {
		s.publish(packet{kind: kindAck})
	}
	if answer {
		s.beat(false)
	}
}

// apply takes one packet in and says what to reply. It needs s.mu.
func (s *Stream) apply(p packet) (ack, answer bool) {
	switch p.kind {
	case kindData, kindEnd:
		return s.applyFrame(p), false
	case kindBeat:
		if p.seq > s.received {
			s.failLocked(ErrGap)
			return false, false
		}
		s.held = false
		// More than was sent cannot have been read: it would widen the window.
		if p.read > s.read && p.read <= s.spent {
			s.read = p.read
		}
		wake(s.canSend)
		return false, p.answer
	case kindAck:
		if s.ending && !s.isAck {
			s.isAck = true
			close(s.acked)
		}
	case kindBye:
		s.bye = true
		s.failLocked(io.ErrUnexpectedEOF)
	}
	return false, false
}

// applyFrame queues a frame or notes the end. It needs s.mu.
func (s *Stream) applyFrame(p packet) (ack bool) {
	if p.seq <= s.received {
		return p.kind == kindEnd // a repetition
	}
	if p.seq != s.received+1 || s.end != nil {
		s.failLocked(fmt.Errorf("%w: got frame %d after %d", ErrGap, p.seq, s.received))
		return false
	}
	s.received = p.seq
	defer wake(s.canRecv)
	if p.kind == kindEnd {
		s.end = io.EOF
		if len(p.data) > 0 {
			s.end = status.Decode(p.data)
		}
		return true
	}
	s.arrived += uint64(len(p.data) + frameCost)
	if s.arrived-s.consumed > window {
		s.failLocked(errOverrun)
		return false
	}
	s.queue = append(s.queue, Frame{Channel: p.channel, Data: p.data})
	return false
}
