package stream

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/skerry/skerry/bus"
)

// waiting accepts, and tells why the stream is over.
func waiting(ended chan error) Handler {
	return func(ctx context.Context, _ bus.User, _ []byte, accept func() (*Stream, error)) error {
		s, err := accept()
		if err != nil {
			return err
		}
		_, err = s.Recv(context.Background())
		ended <- err
		return err
	}
}

// TestIdleStreamsShare: many streams have one subscription, and once they rest one heartbeat.
func TestIdleStreamsShare(t *testing.T) {
	ctx := testContext(t)
	const n = 200
	p := servePair(t, n, quick(), waiting(make(chan error, n)))
	first, err := dial(ctx, p.user, subject, nil, quick())
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	userSubs, nodeSubs := p.user.NC.NumSubscriptions(), p.node.NC.NumSubscriptions()
	for range n - 1 {
		s, err := dial(ctx, p.user, subject, nil, quick())
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
	}
	if u, o := p.user.NC.NumSubscriptions(), p.node.NC.NumSubscriptions(); u != userSubs || o != nodeSubs {
		t.Errorf("%d and %d subscriptions for %d streams, %d and %d for one", u, o, n, userSubs, nodeSubs)
	}
	eventually(t, "all streams to rest", func() bool {
		for _, h := range []*hub{first.hub, hubAt(t, p.node, "n1")} {
			h.mu.Lock()
			busy := 0
			for _, l := range h.links {
				busy += len(l.busy)
			}
			h.mu.Unlock()
			if busy > 0 {
				return false
			}
		}
		return true
	})
	// What is sent from now on are pulses. Their number is looked at, whatever the time is.
	beats := func() int {
		first.hub.mu.Lock()
		defer first.hub.mu.Unlock()
		return first.link.beats
	}
	from, sent := beats(), p.user.NC.Stats().OutMsgs
	eventually(t, "ten beats", func() bool { return beats() >= from+10 })
	if got := p.user.NC.Stats().OutMsgs - sent; got > 20 {
		t.Errorf("%d messages in ten beats of %d idle streams", got, n)
	}
}

// TestForgottenStream: an end that is gone without the other having heard of it.
func TestForgottenStream(t *testing.T) {
	ctx := testContext(t)
	ended := make(chan error, 2)
	p := servePair(t, 2, quick(), waiting(ended))
	var both []*Stream
	for range 2 {
		s, err := dial(ctx, p.user, subject, nil, quick())
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		both = append(both, s)
	}
	both[0].hub.remove(both[0])
	if err := <-ended; !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("the forgotten one ended with %v", err)
	}
	if err := both[1].Send(ctx, Frame{Data: []byte("the other goes on")}); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("the other one ended with %v", err)
	}
}

// TestForgottenLastStream: the same when nothing else is between the two, so that the end that is
// gone has no heartbeat any more.
func TestForgottenLastStream(t *testing.T) {
	ctx := testContext(t)
	ended := make(chan error, 1)
	tm := quick()
	tm.lost = testTimeout
	p := servePair(t, 1, tm, waiting(ended))
	s, err := dial(ctx, p.user, subject, nil, tm)
	if err != nil {
		t.Fatal(err)
	}
	h, err := hubOf(p.node, "n1", tm)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the other end to rest", func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		for _, l := range h.links {
			return len(l.busy) == 0
		}
		return false
	})
	s.hub.remove(s)
	select {
	case err = <-ended:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("it ended with %v", err)
	}
}

// TestAbandonedDial: who leaves before the reply is there leaves nothing behind, though
// other streams of its hub go on.
func TestAbandonedDial(t *testing.T) {
	ctx := testContext(t)
	ended := make(chan error, 2)
	p := servePair(t, 2, quick(), waiting(ended))
	s, err := dial(ctx, p.user, subject, nil, quick())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	m := nats.NewMsg(subject)
	m.Header.Set(HeaderStream, newIdent().String())
	m.Header.Set(HeaderHub, s.hub.id.String())
	m.Reply = "_INBOX.nobody"
	if err := p.user.NC.PublishMsg(m); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("it ended with %v", err)
	}
	select {
	case err := <-ended:
		t.Errorf("the other one ended too: %v", err)
	default:
	}
}

// TestDialGivenUpWhileAccepted: what is done for somebody who has left ends at once, and not
// only when a heartbeat shows it, whether the other end was heard of or not.
func TestDialGivenUpWhileAccepted(t *testing.T) {
	ctx := testContext(t)
	ended, accepting, left := make(chan error, 1), make(chan struct{}, 1), make(chan struct{})
	p := servePair(t, 1, defaultTiming(), func(ctx context.Context, who bus.User, hello []byte, accept func() (*Stream, error)) error {
		accepting <- struct{}{}
		<-left
		return waiting(ended)(ctx, who, hello, accept)
	})
	dialling, giveUp := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() {
		_, err := Dial(dialling, p.user, subject, nil)
		done <- err
	}()
	<-accepting
	giveUp()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	began := time.Now()
	close(left)
	select {
	case <-ended:
	case <-ctx.Done():
		t.Fatal("it goes on")
	}
	if took := time.Since(began); took > defaultTiming().beat/2 {
		t.Errorf("it went on for %v", took)
	}
}

// TestStranger: only the stream's own user can send on it, even if another knows its name.
func TestStranger(t *testing.T) {
	ctx := testContext(t)
	ended := make(chan error, 1)
	p := servePair(t, 1, quick(), waiting(ended))
	s, err := dial(ctx, p.user, subject, nil, quick())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	other := hubAt(t, p.node, "n1")
	for _, b := range [][]byte{
		appendMessage(nil, s.id, packet{kind: kindBye}), appendMessage(nil, s.id, packet{kind: kindHello, data: s.hub.id[:]}),
		s.id[:], append(s.id[:], kindPulse), append(s.id[:], kindPulse, 0, 0xff), nil,
	} {
		if err := p.user.NC.Publish(bus.StreamSubject("eve", "n1", other.id.String(), "in"), b); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Send(ctx, Frame{Data: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("it ended with %v", err)
	}
}

// TestOfferNotTaken: what nobody takes is given up.
func TestOfferNotTaken(t *testing.T) {
	p := servePair(t, 1, quick(), echo)
	s := newStream(hubAt(t, p.node, "n1"), newIdent())
	s.taking = time.AfterFunc(time.Hour, func() {})
	s.fail(ErrPeerLost)
	if s.taking.Stop() {
		t.Error("its timer runs on")
	}
}

// hubAt is a connection's hub.
func hubAt(t *testing.T, conn *bus.Conn, peer string) *hub {
	t.Helper()
	h, err := hubOf(conn, peer, quick())
	if err != nil {
		t.Fatal(err)
	}
	return h
}
