package stream

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go"
)

// Opener begins a stream that may last for days. Like a Handler it refuses or accepts; rest,
// which it returns once it has accepted, does what is left to do.
type Opener func(accept func() (*Stream, error)) (rest func() error, err error)

// Begin is Accept for streams of which there are many and that mostly rest: such a one has a
// goroutine that never was deep in calls, and keeps nothing of the request. do runs what it
// is given, elsewhere.
func (a *Acceptor) Begin(ctx context.Context, m *nats.Msg, do func(func()), open Opener) {
	who, ok := a.admit(ctx, m)
	if !ok {
		return
	}
	do(func() {
		var s *Stream
		accept := func() (_ *Stream, err error) {
			s, err = a.open(m, who, nil)
			return s, err
		}
		var rest func() error
		err := a.call(m.Subject, func() (err error) { rest, err = open(accept); return err })
		if s != nil && err == nil {
			go a.last(ctx, s, rest)
			return
		}
		defer a.release()
		if s != nil {
			finish(ctx, s, err)
			return
		}
		if err == nil {
			err = errors.New("the handler did not accept")
		}
		a.refuse(m, stopping(ctx, err))
	})
}

// last does what is left to do of s.
func (a *Acceptor) last(service context.Context, s *Stream, rest func() error) {
	defer a.release()
	finish(service, s, rest())
}

// Done is closed when the stream failed or was closed.
func (s *Stream) Done() <-chan struct{} { return s.done }

// Context is ctx until the stream is over, or the returned function is called, which has to
// be. Only for streams of an Opener, and for one at a time.
func (s *Stream) Context(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onDone = cancel
	if s.failed != nil {
		cancel()
	}
	return ctx, func() {
		s.mu.Lock()
		s.onDone = nil
		s.mu.Unlock()
		cancel()
	}
}
