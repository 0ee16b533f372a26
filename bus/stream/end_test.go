package stream

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"maps"
	"runtime"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/bustest"
)

var podResource = schema.GroupResource{Resource: "pods"}

// hold accepts and sends until it cannot, and reports why.
func hold(why chan error) Handler {
	return func(ctx context.Context, _ bus.User, _ []byte, accept func() (*Stream, error)) error {
		s, err := accept()
		if err != nil {
			return err
		}
		for err == nil {
			err = s.Send(context.Background(), Frame{Data: make([]byte, 1000)})
		}
		<-ctx.Done() // a stream that is over ends the handler's context
		why <- err
		return err
	}
}

func TestDiallerCloses(t *testing.T) {
	ctx := testContext(t)
	why := make(chan error, 1)
	p := servePair(t, 1, defaultTiming(), hold(why))
	s, err := Dial(ctx, p.user, subject, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Recv(ctx); err != nil {
		t.Fatal(err)
	}
	_ = s.Close()
	if _, err := s.Recv(ctx); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("Recv after Close: %v", err)
	}
	if err := <-why; !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("the handler's Send: %v", err)
	}
}

func TestPeerLost(t *testing.T) {
	ctx := testContext(t)
	why := make(chan error, 1)
	p := servePair(t, 1, quick(), hold(why))
	s, err := dial(ctx, p.user, subject, nil, quick())
	if err != nil {
		t.Fatal(err)
	}
	p.user.NC.Close() // as a killed process would
	if err := <-why; !errors.Is(err, ErrPeerLost) {
		t.Errorf("the handler's Send: %v", err)
	}
	for err == nil {
		_, err = s.Recv(ctx)
	}
	if !errors.Is(err, ErrPeerLost) {
		t.Errorf("Recv without a connection: %v", err)
	}
	_ = s.Close()
}

// TestPeerAbsent: a closed connection shows before silence does.
func TestPeerAbsent(t *testing.T) {
	ctx := testContext(t)
	patient := timing{beat: 50 * time.Millisecond, absent: 50 * time.Millisecond, lost: testTimeout, ack: time.Second}
	p := servePair(t, 1, patient, echo)
	s, err := dial(ctx, p.user, subject, nil, patient)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	p.node.NC.Close()
	if _, err := s.Recv(ctx); !errors.Is(err, ErrPeerLost) {
		t.Fatalf("got %v", err)
	}
}

// TestIdleStays: silence of the user of a stream is not the peer's.
func TestIdleStays(t *testing.T) {
	ctx := testContext(t)
	p := servePair(t, 1, quick(), echo)
	s, err := dial(ctx, p.user, subject, nil, quick())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	idle, cancel := context.WithTimeout(ctx, 3*quick().lost)
	defer cancel()
	if _, err := s.Recv(idle); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v", err)
	}
	if err := s.Send(ctx, Frame{Data: []byte("still here")}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Recv(ctx); err != nil {
		t.Fatal(err)
	}
}

// open makes a dialling end that has no other end.
func open(t *testing.T, conn *bus.Conn, tm timing) *Stream {
	t.Helper()
	h, err := hubOf(conn, "", tm)
	if err != nil {
		t.Fatal(err)
	}
	s := newStream(h, newIdent())
	if err := h.add(s); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestGaps plays the peer that a faulty network would make of the real one.
func TestGaps(t *testing.T) {
	data := func(seq uint64) packet { return packet{kind: kindData, seq: seq, data: []byte("x")} }
	for name, c := range map[string]struct {
		packets []packet
		frames  int
		err     error
	}{
		"a frame comes late":       {[]packet{data(1), data(3), data(2), data(3), {kind: kindEnd, seq: 4}}, 3, io.EOF},
		"frames never come":        {[]packet{data(1), data(3)}, 1, ErrPeerLost},
		"frames come twice":        {[]packet{data(1), data(1), data(2), data(1), {kind: kindEnd, seq: 3}}, 2, io.EOF},
		"closed without an end":    {[]packet{data(1), {kind: kindBye}}, 1, io.ErrUnexpectedEOF},
		"end, then closed":         {[]packet{data(1), {kind: kindEnd, seq: 2}, {kind: kindBye}}, 1, io.EOF},
		"data after the end":       {[]packet{{kind: kindEnd, seq: 1}, data(2)}, 0, io.EOF},
		"garbage":                  {[]packet{data(1), {kind: 'z'}}, 1, errPacket},
		"an end that is no Status": {[]packet{{kind: kindEnd, seq: 1, data: []byte("{")}}, 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := testContext(t)
			b := bustest.Start(t)
			conn, peer := b.Conn(t, "admin"), b.Conn(t, bus.NodeUser("n1"))
			s := open(t, conn, quick())
			defer s.Close()
			s.meet("admin", "n1", newIdent().String())
			if err := conn.NC.Flush(); err != nil {
				t.Fatal(err)
			}
			for _, p := range c.packets {
				if err := peer.NC.Publish(bus.StreamSubject("admin", "n1", s.hub.id.String(), "out"), appendMessage(nil, s.id, p)); err != nil {
					t.Fatal(err)
				}
			}
			var err error
			n := 0
			for err == nil {
				if _, err = s.Recv(ctx); err == nil {
					n++
				}
			}
			if n != c.frames || c.err != nil && !errors.Is(err, c.err) || c.err == nil && !apierrors.IsInternalError(err) {
				t.Errorf("got %d frames and %v, want %d and %v", n, err, c.frames, c.err)
			}
		})
	}
}

// TestOverrun: a peer that ignores the window does not grow this side's memory.
func TestOverrun(t *testing.T) {
	s := newStream(&hub{timing: defaultTiming()}, ident{1})
	for seq := uint64(1); s.failed == nil; seq++ {
		if seq > window/frameCost {
			t.Fatal("no limit")
		}
		s.mu.Lock()
		s.apply(packet{kind: kindData, seq: seq, data: make([]byte, MaxFrame)})
		s.mu.Unlock()
	}
	if !errors.Is(s.failed, errOverrun) {
		t.Fatal(s.failed)
	}
}

// TestReconnect: what a broken connection swallows is sent again, in both directions.
func TestReconnect(t *testing.T) {
	ctx := testContext(t)
	b := bustest.Start(t)
	tm := timing{beat: 50 * time.Millisecond, absent: testTimeout, lost: testTimeout, ack: testTimeout}
	px := b.Proxy(t)
	serveOn(t, px.Conn(t, bus.NodeUser("n1")), 1, tm, echo)
	s, err := dial(ctx, b.Conn(t, "admin"), subject, nil, tm)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const frames = 3000
	sent := make(chan error, 1)
	go func() {
		for i := range frames {
			if err := s.Send(ctx, Frame{Data: binary.BigEndian.AppendUint32(make([]byte, 1000), uint32(i))}); err != nil {
				sent <- err
				return
			}
		}
		sent <- s.CloseSend(nil)
	}()
	for i := range frames {
		f, err := s.Recv(ctx)
		if err != nil {
			t.Fatalf("frame %d: %v", i, err)
		}
		if n := binary.BigEndian.Uint32(f.Data[1000:]); n != uint32(i) {
			t.Fatalf("frame %d is number %d", i, n)
		}
		if i%500 == 250 {
			if i%1000 == 250 {
				px.Cut()
			} else {
				b.Kick(t)
			}
		}
	}
	if _, err := s.Recv(ctx); !errors.Is(err, io.EOF) {
		t.Errorf("after the last frame: %v", err)
	}
	if err := <-sent; err != nil {
		t.Errorf("send: %v", err)
	}
}

// TestGapThatStays: a peer that is there and does not send again what is missing.
func TestGapThatStays(t *testing.T) {
	s := newStream(&hub{timing: quick()}, ident{1})
	ask := 0
	for s.failed == nil {
		s.mu.Lock()
		if s.apply(packet{kind: kindBeat, seq: 5}).beat {
			ask++
		}
		s.mu.Unlock()
	}
	if !errors.Is(s.failed, ErrGap) || ask < 2 {
		t.Fatalf("asked %d times, then %v", ask, s.failed)
	}
}

func TestKept(t *testing.T) {
	var k kept
	sent := uint64(0)
	add := func() {
		sent++
		k.add(append(k.buffer(8), byte(sent)))
	}
	for range 6 {
		add()
	}
	for _, c := range []struct{ got, first, left uint64 }{{0, 1, 6}, {9, 1, 6}, {2, 3, 4}, {1, 3, 4}, {5, 6, 1}, {6, 0, 0}, {6, 0, 0}} {
		left := k.release(c.got, sent)
		if uint64(len(left)) != c.left || len(left) > 0 && uint64(left[0][0]) != c.first {
			t.Errorf("after %d: %v", c.got, left)
		}
	}
	add()
	if left := k.release(0, sent); len(left) != 1 || left[0][0] != 7 {
		t.Errorf("then %v", left)
	}
}

// TestSpare: a buffer that is used again has room for what it is asked for.
func TestSpare(t *testing.T) {
	var p buffers
	for size := range 2000 {
		b := p.take(size)
		if len(b) != 0 || cap(b) < size {
			t.Fatalf("%d bytes: a buffer of %d, with room for %d", size, len(b), cap(b))
		}
		p.put(append(b, 1))
	}
	p.put(nil)
	p.put(make([]byte, 0, 3)) // not one of ours
	if b := p.take(3); cap(b) < 3 {
		t.Errorf("room for %d", cap(b))
	}
}

func TestLimit(t *testing.T) {
	ctx := testContext(t)
	p := servePair(t, 2, defaultTiming(), echo)
	var open []*Stream
	for range 2 {
		s, err := Dial(ctx, p.user, subject, nil)
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, s)
	}
	if _, err := Dial(ctx, p.user, subject, nil); !apierrors.IsTooManyRequests(err) {
		t.Fatalf("got %v", err)
	}
	for _, s := range open {
		_ = s.Close()
	}
	eventually(t, "a free place", func() bool {
		s, err := Dial(ctx, p.user, subject, nil)
		if err == nil {
			_ = s.Close()
		}
		return err == nil
	})
}

func TestServiceStops(t *testing.T) {
	ctx := testContext(t)
	p := servePair(t, 1, defaultTiming(), func(ctx context.Context, _ bus.User, _ []byte, accept func() (*Stream, error)) error {
		if _, err := accept(); err != nil {
			return err
		}
		<-ctx.Done()
		return ctx.Err()
	})
	s, err := Dial(ctx, p.user, subject, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	p.stop()
	if _, err := s.Recv(ctx); !apierrors.IsServiceUnavailable(err) {
		t.Fatalf("got %v", err)
	}
}

func TestOfferAndTake(t *testing.T) {
	ctx := testContext(t)
	b := bustest.Start(t)
	offer, id, err := Offer(b.Conn(t, bus.NodeUser("n1")), "admin", "n1")
	if err != nil {
		t.Fatal(err)
	}
	defer offer.Close()
	sent := make(chan error, 1)
	go func() { sent <- offer.SendMessage(ctx, make([]byte, 1<<20)) }()
	take, err := Take(b.Conn(t, "admin"), "n1", id)
	if err != nil {
		t.Fatal(err)
	}
	defer take.Close()
	if m, err := take.RecvMessage(ctx, 1<<20); err != nil || len(m) != 1<<20 {
		t.Fatalf("got %d bytes, %v", len(m), err)
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	if _, err := Take(b.Conn(t, "admin"), "n1", "x.>"); err == nil {
		t.Fatal("an id that is a wildcard was taken")
	}
}

func TestTraceAndHello(t *testing.T) {
	const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	got := make(chan string, 1)
	p := servePair(t, 1, defaultTiming(), func(ctx context.Context, who bus.User, hello []byte, _ func() (*Stream, error)) error {
		got <- bus.TraceOf(ctx) + " " + string(who) + " " + string(hello)
		return nil
	})
	_, _ = Dial(bus.WithTrace(testContext(t), trace), p.user, subject, []byte("hi"))
	if g := <-got; g != trace+" admin hi" {
		t.Fatalf("got %q", g)
	}
}

// TestNothingLeaks opens and ends streams in every way and counts what is left.
func TestNothingLeaks(t *testing.T) {
	ctx := testContext(t)
	p := servePair(t, 100, quick(), echo)
	// The first stream makes the connections' own subscriptions.
	first, err := dial(ctx, p.user, subject, nil, quick())
	if err != nil {
		t.Fatal(err)
	}
	_ = first.Close()
	empty := func() bool { return len(hubFor(t, p.user, "").links)+len(hubFor(t, p.node, "n1").links) == 0 }
	eventually(t, "the first stream to end", empty)
	routines, userSubs, nodeSubs := runtime.NumGoroutine(), p.user.NC.NumSubscriptions(), p.node.NC.NumSubscriptions()
	for i := range 40 {
		s, err := dial(ctx, p.user, subject, nil, quick())
		if err != nil {
			t.Fatal(err)
		}
		_ = s.Send(ctx, Frame{Data: make([]byte, 100_000)})
		switch i % 4 {
		case 0: // both ends
			_ = s.CloseSend(nil)
			for err == nil {
				_, err = s.Recv(ctx)
			}
		case 1: // with an error
			_ = s.CloseSend(errors.New("done with it"))
		case 2: // the peer breaks the rules
			_ = p.node.NC.Publish(bus.StreamSubject("admin", "n1", s.hub.id.String(), "out"), append(s.id[:], 'z'))
			for err == nil {
				_, err = s.Recv(ctx)
			}
			continue // without Close: a failed stream has freed what it held
		}
		_ = s.Close()
	}
	eventually(t, "everything to be freed", func() bool {
		return empty() && runtime.NumGoroutine() <= routines && p.user.NC.NumSubscriptions() <= userSubs && p.node.NC.NumSubscriptions() <= nodeSubs
	})
}

// hubFor is a connection's hub, unused while the test looks into it.
func hubFor(t *testing.T, conn *bus.Conn, peer string) *hub {
	t.Helper()
	h, err := hubOf(conn, peer, quick())
	if err != nil {
		t.Fatal(err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return &hub{links: maps.Clone(h.links), streams: maps.Clone(h.streams)}
}
