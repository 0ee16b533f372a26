package stream

import (
	"errors"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/skerry/skerry/bus"
)

// silent is somebody at the other end who is there and says nothing, and a hub that thinks
// there is a stream between the two.
func (w *storm) silent(t *testing.T) (h *hub, other string, s *Stream) {
	t.Helper()
	node, user := w.process(bus.NodeUser("n1"), "n1", nil), w.process("admin", "", nil)
	t.Cleanup(node.NC.Close)
	t.Cleanup(user.NC.Close)
	other = newIdent().String()
	if _, err := node.NC.Subscribe(bus.StreamSubject("admin", "n1", other, "in"), func(*nats.Msg) {}); err != nil {
		t.Fatal(err)
	}
	s = open(t, user.Conn, defaultTiming())
	s.meet("admin", "n1", other)
	return s.hub, other, s
}

// TestJoinWhileLost: a stream that joins a link just as its others are given up has a heartbeat.
func TestJoinWhileLost(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newStorm(t, 1)
		t.Cleanup(w.end)
		h, other, s := w.silent(t)
		late := newStream(h, newIdent())
		s.mu.Lock()
		s.onDone = func() {
			if err := h.add(late); err != nil {
				t.Error(err)
			}
			late.meet("admin", "n1", other)
		}
		s.mu.Unlock()
		<-s.done
		select {
		case <-late.done:
		case <-time.After(time.Minute):
			t.Error("nobody notices that the other end is silent")
			_ = late.Close()
		}
	})
}

// TestAsleep: a process that did not run for a while does not take that for its peer's silence.
func TestAsleep(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newStorm(t, 1)
		t.Cleanup(w.end)
		h, _, s := w.silent(t)
		h.mu.Lock()
		l := s.link
		l.heard, l.ticked = time.Now().Add(-time.Minute), time.Now().Add(-time.Minute)
		h.mu.Unlock()
		l.tick()
		select {
		case <-s.done:
			t.Error("it is lost at once")
		default:
		}
		<-s.done
		_ = s.Close()
	})
}

// TestTakenTwice: who comes second is told so, and does not disturb the first.
func TestTakenTwice(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newStorm(t, 1)
		t.Cleanup(w.end)
		node, first, second := w.process(bus.NodeUser("n1"), "n1", nil), w.process("admin", "", nil), w.process("admin", "", nil)
		for _, p := range []*process{node, first, second} {
			t.Cleanup(p.NC.Close)
		}
		ctx := t.Context()
		offer, name, err := Offer(node.Conn, "admin", "n1")
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // the server knows where the hub is: what the first says is heard
		var took []*Stream
		for _, p := range []*process{first, second} {
			s, err := Take(p.Conn, "n1", name)
			if err != nil {
				t.Fatal(err)
			}
			took = append(took, s)
			synctest.Wait()
		}
		if _, err := took[1].Recv(ctx); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("the second: %v", err)
		}
		if err := offer.Send(ctx, Frame{Data: []byte("x")}); err != nil {
			t.Fatal(err)
		}
		if f, err := took[0].Recv(ctx); err != nil || string(f.Data) != "x" {
			t.Errorf("the first: %q, %v", f.Data, err)
		}
		for _, s := range append(took, offer) {
			_ = s.Close()
		}
	})
}

// TestOftenAsked: a peer that asks over and over does not have everything said as often.
func TestOftenAsked(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newStorm(t, 1)
		t.Cleanup(w.end)
		h, _, s := w.silent(t)
		if err := s.Send(t.Context(), Frame{Data: make([]byte, 3*MaxFrame)}); err != nil {
			t.Fatal(err)
		}
		wrong := append([]byte{kindPulse, flagAnswer, 9}, s.id[:]...)
		for what, ask := range map[string]func(){
			"frames": func() { s.receive(appendPacket(nil, packet{kind: kindBeat, again: true})) },
			"beats":  func() { h.pulsed(s.out, wrong) },
		} {
			before := h.conn.NC.Stats().OutMsgs
			for range 100 {
				ask()
			}
			if n := h.conn.NC.Stats().OutMsgs - before; n > 10 {
				t.Errorf("%s: %d messages", what, n)
			}
		}
		_ = s.Close()
	})
}

// TestBeatsInOrder: a later beat never tells of less, whoever sends it.
func TestBeatsInOrder(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newStorm(t, 1)
		t.Cleanup(w.end)
		_, other, s := w.silent(t)
		var mu sync.Mutex
		got, back := uint64(0), 0
		watcher := w.process(bus.NodeUser("n1"), "n1", nil)
		t.Cleanup(watcher.NC.Close)
		_, err := watcher.NC.Subscribe(bus.StreamSubject("admin", "n1", other, "in"), func(m *nats.Msg) {
			_, body, _ := cutIdent(m.Data)
			if p, err := parsePacket(body); err == nil && p.kind == kindBeat {
				mu.Lock()
				defer mu.Unlock()
				if p.got < got {
					back++
				}
				got = p.got
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // until the subscription is there
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				for range 5000 {
					s.mu.Lock()
					s.received++
					s.mu.Unlock()
					s.beat(false)
				}
			})
		}
		all.Wait()
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		if got != 20_000 || back > 0 {
			t.Errorf("%d frames were told of in the end, and %d times of less than before", got, back)
		}
		_ = s.Close()
	})
}
