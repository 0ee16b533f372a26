package api

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/skerry/skerry/bus/stream"
)

// attended is a watch that this server serves. While it rests there is nothing but this, its
// source, its stream and a goroutine with a small stack.
type attended struct {
	server  *server
	service context.Context //nolint:containedctx // its end is the watch's, as that of its stream is
	request *Request
	source  Source
	stream  *stream.Stream
	leave   func() // frees its place
	ends    time.Time

	// Of the step that was done last.
	step  sync.WaitGroup
	pause Pause
	err   error
}

// watch begins one watch over a stream.
func (s *server) watch(ctx context.Context, m *nats.Msg) {
	subject, hello := m.Subject, m.Data
	s.watches.Begin(ctx, m, s.hands.do, func(accept func() (*stream.Stream, error)) (func() error, error) {
		r, _, err := decodeRequest(subject, hello, nil)
		if err != nil {
			return nil, err
		}
		leave, err := s.watching.Enter(asker(r))
		if err != nil {
			return nil, err
		}
		a := &attended{server: s, service: ctx, request: r, leave: leave}
		if err := a.begin(ctx, accept); err != nil {
			a.end()
			return nil, err
		}
		return a.run, nil
	})
}

func (a *attended) begin(ctx context.Context, accept func() (*stream.Stream, error)) error {
	err := a.server.call(ctx, a.request, func() (err error) {
		a.source, err = a.server.server.Watch(ctx, a.request)
		return err
	})
	if err != nil {
		return err
	}
	if l := a.request.List; l != nil && l.TimeoutSeconds != nil && *l.TimeoutSeconds > 0 {
		a.ends = time.Now().Add(time.Duration(*l.TimeoutSeconds) * time.Second)
	}
	a.stream, err = accept()
	return err
}

func (a *attended) end() {
	if a.source != nil {
		a.source.Close()
	}
	a.leave()
}

// run sends events until the watch is over. What it takes to begin, and to send a bookmark to one
// that rests, is done by hands that many watches share, so that this stack stays small. One
// that has something to tell does so itself, which is quicker.
func (a *attended) run() error {
	defer a.end()
	next := func() { defer a.step.Done(); a.next() }
	for woken := false; ; {
		if woken {
			a.next()
		} else {
			a.step.Add(1)
			a.server.hands.do(next)
			a.step.Wait()
		}
		if a.err != nil || a.pause == (Pause{}) {
			return a.err
		}
		var err error
		if woken, err = a.rest(); err != nil {
			return err
		}
	}
}

// next has the source send what there is.
func (a *attended) next() {
	ctx, release := a.stream.Context(a.service)
	defer release()
	if !a.ends.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, a.ends)
		defer cancel()
	}
	a.err = a.server.call(ctx, a.request, func() (err error) {
		a.pause, err = a.source.Next(ctx, func(e WatchEvent) error {
			return sendEvent(e, func(text []byte) error { return a.stream.SendMessage(ctx, text) })
		})
		return err
	})
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		a.pause, a.err = Pause{}, nil // its time is up, which is how watches end
	}
}

// rest waits for what ends the pause, and tells whether there is something new.
func (a *attended) rest() (woken bool, err error) {
	until := a.pause.Until
	if !a.ends.IsZero() && (until.IsZero() || a.ends.Before(until)) {
		until = a.ends
	}
	var late <-chan time.Time
	if !until.IsZero() {
		t := time.NewTimer(time.Until(until))
		defer t.Stop()
		late = t.C
	}
	select {
	case <-a.pause.Wake:
		return true, nil
	case <-late:
		return false, nil
	case <-a.stream.Done():
	case <-a.service.Done():
	}
	return false, context.Canceled
}
