package stream

import (
	"context"
	"fmt"
)

// A message is as long as it needs to be: parts on channel channelMore, then
// the last part on channelLast. Streams of messages use no other channels.
const (
	channelLast byte = 0
	channelMore byte = 1
)

// SendMessage sends b as one message, in as many frames as it takes, and keeps nothing of it.
// Messages of several goroutines are not mixed.
func (s *Stream) SendMessage(ctx context.Context, b []byte) error {
	sending, err := s.lockSend(ctx)
	if err != nil {
		return err
	}
	defer func() { <-sending }()
	limit := s.frameLimit()
	for len(b) > limit {
		if err := s.send(ctx, Frame{Channel: channelMore, Data: b[:limit]}); err != nil {
			return err
		}
		b = b[limit:]
	}
	return s.send(ctx, Frame{Channel: channelLast, Data: b})
}

// RecvMessage returns the next message. One of more than limit bytes is an error;
// the stream is of no use after it.
func (s *Stream) RecvMessage(ctx context.Context, limit int) ([]byte, error) {
	var b []byte
	for {
		f, err := s.Recv(ctx)
		if err != nil {
			return nil, err
		}
		if len(b)+len(f.Data) > limit {
			return nil, fmt.Errorf("receive message: more than %d bytes", limit)
		}
		if b == nil && f.Channel == channelLast {
			return f.Data, nil
		}
		b = append(b, f.Data...)
		switch f.Channel {
		case channelLast:
			return b, nil
		case channelMore:
		default:
			return nil, fmt.Errorf("receive message: unexpected channel %d", f.Channel)
		}
	}
}
