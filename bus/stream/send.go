package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/skerry/skerry/bus/status"
)

// Send blocks while the other side has given no credit. It returns io.ErrClosedPipe
// after CloseSend or either side's Close, else why the stream is over. A ctx that
// ends between the parts of a long frame leaves the frame incomplete.
func (s *Stream) Send(ctx context.Context, f Frame) error {
	sending, err := s.lockSend(ctx)
	if err != nil {
		return err
	}
	defer func() { <-sending }()
	return s.send(ctx, f)
}

// send needs s.sending.
func (s *Stream) send(ctx context.Context, f Frame) error {
	limit := s.frameLimit()
	for {
		part := f.Data[:min(len(f.Data), limit)]
		if err := s.spend(ctx, len(part)+frameCost); err != nil {
			return err
		}
		if err := s.publishFrame(packet{kind: kindData, channel: f.Channel, data: part}); err != nil {
			return err
		}
		f.Data = f.Data[len(part):]
		if len(f.Data) == 0 {
			return nil
		}
	}
}

// lockSend takes s.sending, and returns it.
func (s *Stream) lockSend(ctx context.Context) (chan struct{}, error) {
	s.mu.Lock()
	sending := token(&s.sending)
	s.mu.Unlock()
	select {
	case sending <- struct{}{}:
		return sending, nil
	default:
	}
	select {
	case sending <- struct{}{}:
		return sending, nil
	case <-s.done:
		s.mu.Lock()
		defer s.mu.Unlock()
		return nil, s.sendErr()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// frameLimit is MaxFrame, or less where the bus carries less in one message.
func (s *Stream) frameLimit() int {
	if m := int(s.hub.conn.NC.MaxPayload()); m > maxHeader {
		return min(MaxFrame, m-maxHeader)
	}
	return MaxFrame
}

// spend waits until cost bytes of credit are there, and takes them.
func (s *Stream) spend(ctx context.Context, cost int) error {
	for {
		s.mu.Lock()
		if err := s.sendErr(); err != nil {
			s.mu.Unlock()
			return err
		}
		if !s.held && s.spent-s.read+uint64(cost) <= window {
			s.spent += uint64(cost)
			s.stir()
			s.mu.Unlock()
			return nil
		}
		canSend := token(&s.canSend)
		s.mu.Unlock()
		select {
		case <-canSend:
		case <-s.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// sendErr is why nothing can be sent, or nil. It needs s.mu.
func (s *Stream) sendErr() error {
	switch {
	case s.failed != nil && errors.Is(s.failed, io.ErrUnexpectedEOF):
		return io.ErrClosedPipe // the peer closed: for a sender, a broken pipe
	case s.failed != nil:
		return s.failed
	case s.ending:
		return io.ErrClosedPipe
	}
	return nil
}

// publishFrame numbers p, publishes it and keeps it until the peer has it.
func (s *Stream) publishFrame(p packet) error {
	s.wire.Lock()
	s.sent++
	p.seq = s.sent
	b := appendMessage(s.kept.buffer(maxHeader+len(p.data)), s.id, p)
	s.kept.add(b)
	s.ended = s.ended || p.kind == kindEnd
	err := s.transmit(b)
	s.wire.Unlock()
	if err != nil {
		s.fail(err)
	}
	return err
}

// transmit needs s.wire. What cannot be published while the connection is away is sent
// again when it is back.
func (s *Stream) transmit(b []byte) error {
	nc := s.hub.conn.NC
	if err := nc.Publish(s.out, b); err != nil && (nc.IsClosed() || nc.IsDraining()) {
		return fmt.Errorf("%w: %w", ErrPeerLost, err)
	}
	return nil
}

// settle forgets the frames that the peer has, and sends those again that it asks for.
func (s *Stream) settle(got uint64, again bool) {
	s.wire.Lock()
	kept := s.kept.release(got, s.sent)
	var err error
	if again && s.resends(got) {
		if s.sent-got > uint64(len(kept)) {
			err = ErrGap
		}
		for _, b := range kept {
			if err == nil {
				err = s.transmit(b)
			}
		}
	}
	all := s.ended && len(kept) == 0
	s.wire.Unlock()
	if err != nil {
		s.fail(err)
	}
	if all {
		s.mu.Lock()
		s.acknowledged()
		s.mu.Unlock()
	}
}

// resends tells whether it is time to send again what follows frame got: whoever asks for the
// same more often has it no sooner, and no peer can have much sent for little. It needs s.wire.
func (s *Stream) resends(got uint64) bool {
	now := time.Now()
	if got == s.againFrom && now.Sub(s.again) < s.hub.timing.beat/5 {
		return false
	}
	s.againFrom, s.again = got, now
	return true
}

func (s *Stream) publishEnd(reason error) error {
	p := packet{kind: kindEnd}
	if reason != nil {
		p.data = status.Encode(reason)
	}
	return s.publishFrame(p)
}

// publish sends a packet without a sequence, as well as it can: the next
// heartbeat repeats what it says.
func (s *Stream) publish(p packet) {
	s.wire.Lock()
	defer s.wire.Unlock()
	s.publishLocked(p)
}

// publishLocked needs s.wire.
func (s *Stream) publishLocked(p packet) {
	if s.out != "" {
		_ = s.hub.conn.NC.Publish(s.out, appendMessage(make([]byte, 0, maxHeader), s.id, p))
	}
}

// hello tells the peer's hub which one the stream's other end is at. It answers whether it
// has such a stream.
func (s *Stream) hello() { s.publish(packet{kind: kindHello, data: s.hub.id[:]}) }

// beat tells the peer what was sent and read so far.
func (s *Stream) beat(answer bool) {
	// In this order: a beat that overtook an older one would have that one ask for frames
	// which are not kept any more.
	s.wire.Lock()
	defer s.wire.Unlock()
	s.mu.Lock()
	if s.failed != nil {
		s.mu.Unlock()
		return
	}
	s.announced, s.told = s.consumed, s.received
	p := packet{kind: kindBeat, answer: answer, seq: s.sent, read: s.consumed, got: s.received, again: s.asking()}
	s.mu.Unlock()
	s.publishLocked(p)
}
