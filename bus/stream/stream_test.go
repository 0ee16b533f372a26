package stream

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/bustest"
)

const testTimeout = 20 * time.Second

func testContext(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
	t.Cleanup(cancel)
	return ctx
}

// subject is what the tests dial as admin.
var subject = bus.NodeSubject("n1", "admin", "test")

// pair is two connections and a handler served on the second one.
type pair struct {
	user, node *bus.Conn
	stop       func() // ends the service and waits for it
}

func quick() timing {
	return timing{beat: 20 * time.Millisecond, absent: 20 * time.Millisecond, lost: 200 * time.Millisecond, ack: time.Second}
}

func servePair(t testing.TB, limit int, tm timing, h Handler) *pair {
	t.Helper()
	b := bustest.Start(t)
	p := &pair{user: b.Conn(t, "admin"), node: b.Conn(t, bus.NodeUser("n1"))}
	p.stop = serveOn(t, p.node, limit, tm, h)
	return p
}

func serveOn(t testing.TB, conn *bus.Conn, limit int, tm timing, h Handler) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	a := NewAcceptor(conn, "n1", limit)
	a.timing, a.hails = tm, true
	ended := make(chan error, 1)
	before := conn.NC.NumSubscriptions()
	go func() {
		err := serve(ctx, conn, bus.NodeSubject("n1", "*", "test"), "", a, h)
		a.Wait()
		ended <- err
	}()
	eventually(t, "the subscription", func() bool { return conn.NC.NumSubscriptions() > before })
	if err := conn.NC.Flush(); err != nil {
		t.Fatal(err)
	}
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("serve: %v", err)
			}
		case <-time.After(testTimeout):
			t.Error("the service does not end")
		}
	}
	t.Cleanup(stop)
	return stop
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(testTimeout)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited too long for %s", what)
		}
		<-tick.C
	}
}

func echo(ctx context.Context, _ bus.User, _ []byte, accept func() (*Stream, error)) error {
	s, err := accept()
	if err != nil {
		return err
	}
	for {
		f, err := s.Recv(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := s.Send(ctx, f); err != nil {
			return err
		}
	}
}

func TestEcho(t *testing.T) {
	ctx := testContext(t)
	p := servePair(t, 1, defaultTiming(), echo)
	s, err := Dial(ctx, p.user, subject, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for i := range byte(5) {
		if err := s.Send(ctx, Frame{Channel: i, Data: []byte{i, i}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.CloseSend(nil); err != nil {
		t.Fatal(err)
	}
	for i := range byte(5) {
		f, err := s.Recv(ctx)
		if err != nil || f.Channel != i || !bytes.Equal(f.Data, []byte{i, i}) {
			t.Fatalf("frame %d: %+v, %v", i, f, err)
		}
	}
	if _, err := s.Recv(ctx); !errors.Is(err, io.EOF) {
		t.Fatalf("want io.EOF, got %v", err)
	}
	if err := s.Send(ctx, Frame{}); !errors.Is(err, io.ErrClosedPipe) {
		t.Fatalf("Send after CloseSend: %v", err)
	}
}

// TestBulk moves more than the window both ways at once, with frames of all sizes.
func TestBulk(t *testing.T) {
	ctx := testContext(t)
	p := servePair(t, 1, defaultTiming(), echo)
	s, err := Dial(ctx, p.user, subject, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	want := make([]byte, 5<<20)
	for i := range want {
		want[i] = byte(rand.Uint32())
	}
	sent := make(chan error, 1)
	go func() {
		for rest := want; len(rest) > 0; {
			n := min(len(rest), 1+rand.IntN(3*MaxFrame))
			if err := s.Send(ctx, Frame{Data: rest[:n]}); err != nil {
				sent <- err
				return
			}
			rest = rest[n:]
		}
		sent <- s.CloseSend(nil)
	}()
	var got []byte
	for {
		f, err := s.Recv(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, f.Data...)
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("got %d bytes, want %d, or not the same", len(got), len(want))
	}
}

// TestMessages: messages far longer than a frame, on a bus with small messages.
func TestMessages(t *testing.T) {
	ctx := testContext(t)
	b := bustest.Start(t, bustest.MaxPayload(4096))
	serveOn(t, b.Conn(t, bus.NodeUser("n1")), 1, defaultTiming(), echo)
	s, err := Dial(ctx, b.Conn(t, "admin"), subject, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, n := range []int{0, 1, 4000, 100_000} {
		want := bytes.Repeat([]byte{byte(n)}, n)
		if err := s.SendMessage(ctx, want); err != nil {
			t.Fatal(err)
		}
		got, err := s.RecvMessage(ctx, 1<<20)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%d bytes: got %d, %v", n, len(got), err)
		}
	}
	if err := s.SendMessage(ctx, make([]byte, 5000)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.RecvMessage(ctx, 4999); err == nil {
		t.Fatal("a message beyond the limit was received")
	}
}

// TestBackpressure: a reader that does not read stops the writer at the window.
func TestBackpressure(t *testing.T) {
	ctx := testContext(t)
	sent := make(chan int, 10_000)
	p := servePair(t, 1, defaultTiming(), func(ctx context.Context, _ bus.User, _ []byte, accept func() (*Stream, error)) error {
		s, err := accept()
		if err != nil {
			return err
		}
		for i := range 1000 {
			if err := s.Send(ctx, Frame{Data: make([]byte, 10_000)}); err != nil {
				return err
			}
			sent <- i
		}
		return nil
	})
	s, err := Dial(ctx, p.user, subject, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	full := window / (10_000 + frameCost)
	for range full {
		<-sent
	}
	eventually(t, "a full queue", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.queue) == full
	})
	select {
	case i := <-sent:
		t.Fatalf("frame %d was sent beyond the window", i)
	default:
	}
	for i := range 1000 {
		if _, err := s.Recv(ctx); err != nil {
			t.Fatalf("frame %d: %v", i, err)
		}
	}
	if _, err := s.Recv(ctx); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
}

func TestErrorsArriveAsStatus(t *testing.T) {
	ctx := testContext(t)
	notFound := apierrors.NewNotFound(podResource, "web")
	p := servePair(t, 10, defaultTiming(), func(_ context.Context, _ bus.User, hello []byte, accept func() (*Stream, error)) error {
		switch string(hello) {
		case "refuse":
			return notFound
		case "plain":
			return errors.New("disk on fire")
		case "nothing":
			return nil
		case "panic":
			panic("at the disco")
		}
		s, err := accept()
		if err != nil {
			return err
		}
		_ = s.Send(context.Background(), Frame{Data: []byte("x")})
		return notFound
	})
	for hello, ok := range map[string]func(error) bool{
		"refuse": apierrors.IsNotFound, "plain": apierrors.IsInternalError,
		"nothing": apierrors.IsInternalError, "panic": apierrors.IsInternalError,
	} {
		if _, err := Dial(ctx, p.user, subject, []byte(hello)); !ok(err) {
			t.Errorf("%s: got %v", hello, err)
		}
	}
	s, err := Dial(ctx, p.user, subject, []byte("end"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Recv(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Recv(ctx); !apierrors.IsNotFound(err) || err.Error() != notFound.Error() {
		t.Fatalf("got %v", err)
	}
}

func TestNobodyServes(t *testing.T) {
	b := bustest.Start(t)
	if _, err := Dial(testContext(t), b.Conn(t, "admin"), subject, nil); !errors.Is(err, bus.ErrUnreachable) {
		t.Fatalf("got %v", err)
	}
}

// TestArrivalOfALoss: who waits for Arrival and nothing else learns that the other end is gone.
func TestArrivalOfALoss(t *testing.T) {
	ctx := testContext(t)
	p := servePair(t, 1, quick(), func(ctx context.Context, _ bus.User, _ []byte, accept func() (*Stream, error)) error {
		s, err := accept()
		if err == nil {
			_, err = s.Recv(ctx)
		}
		return err
	})
	s, err := dial(ctx, p.user, subject, nil, quick())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	arrival := s.Arrival()
	if s.Pending() {
		t.Fatal("something is there already")
	}
	s.fail(ErrPeerLost)
	select {
	case <-arrival:
	case <-ctx.Done():
		t.Fatal("nobody told the reader")
	}
	if _, err := s.Recv(ctx); !errors.Is(err, ErrPeerLost) {
		t.Errorf("Recv: %v", err)
	}
}

// TestArrival: who waits for other things as well hears of every frame, of the end, and of a
// nudge, whether it waited before or comes later.
func TestArrival(t *testing.T) {
	ctx := testContext(t)
	first, rest := make(chan struct{}), make(chan struct{})
	p := servePair(t, 1, quick(), func(ctx context.Context, _ bus.User, _ []byte, accept func() (*Stream, error)) error {
		s, err := accept()
		if err != nil {
			return err
		}
		for _, when := range []chan struct{}{first, rest} {
			<-when
			for range 2 {
				if err := s.Send(ctx, Frame{Data: []byte("x")}); err != nil {
					return err
				}
			}
		}
		return nil
	})
	s, err := dial(ctx, p.user, subject, nil, quick())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if s.Pending() {
		t.Error("something is there already")
	}
	s.Nudge()
	<-s.Arrival()
	close(first)
	for i := range 4 {
		for !s.Pending() {
			<-s.Arrival()
		}
		if f, err := s.Recv(ctx); err != nil || string(f.Data) != "x" {
			t.Fatalf("frame %d: %q, %v", i, f.Data, err)
		}
		if i == 1 {
			close(rest)
		}
	}
	for !s.Pending() {
		<-s.Arrival()
	}
	if _, err := s.Recv(ctx); !errors.Is(err, io.EOF) {
		t.Errorf("the end: %v", err)
	}
}
