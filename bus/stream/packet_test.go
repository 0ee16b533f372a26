package stream

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/bustest"
)

func packets() []packet {
	return []packet{
		{kind: kindData, seq: 1, channel: 2, data: []byte("hello")},
		{kind: kindData, seq: 1 << 40, data: []byte{}},
		{kind: kindEnd, seq: 7, data: []byte{}},
		{kind: kindEnd, seq: 8, data: []byte(`{"kind":"Status"}`)},
		{kind: kindBeat, seq: 300, read: 1 << 50, answer: true},
		{kind: kindBeat},
		{kind: kindAck},
		{kind: kindBye},
	}
}

func TestPacketRoundTrip(t *testing.T) {
	for _, p := range packets() {
		got, err := parsePacket(appendPacket(nil, p))
		if err != nil {
			t.Fatalf("parse %+v: %v", p, err)
		}
		if !reflect.DeepEqual(got, p) {
			t.Errorf("got %+v, want %+v", got, p)
		}
	}
}

func TestPacketMalformed(t *testing.T) {
	for name, b := range map[string][]byte{
		"empty":              {},
		"unknown kind":       []byte("z123"),
		"data, no sequence":  []byte("d"),
		"data, no channel":   {'d', 1},
		"data, endless seq":  append([]byte{'d'}, bytes.Repeat([]byte{0xff}, 12)...),
		"data, too long":     append([]byte{'d', 1, 0}, make([]byte, MaxFrame+1)...),
		"end, no sequence":   []byte("e"),
		"beat, no flags":     []byte("b"),
		"beat, no sequence":  {'b', 0},
		"beat, nothing read": {'b', 0, 1},
	} {
		if _, err := parsePacket(b); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func FuzzParsePacket(f *testing.F) {
	for _, p := range packets() {
		f.Add(appendPacket(nil, p))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := parsePacket(b)
		if err != nil {
			return
		}
		again, err := parsePacket(appendPacket(nil, p))
		if err != nil || !reflect.DeepEqual(again, p) {
			t.Fatalf("%+v came back as %+v, %v", p, again, err)
		}
	})
}

// FuzzApply: no packet of a stranger makes a stream panic, hold more than the window, or
// forget what it has to send again.
func FuzzApply(f *testing.F) {
	for _, p := range []packet{
		{kind: kindData, seq: 1, data: []byte("x")}, {kind: kindEnd, seq: 1}, {kind: kindBeat, seq: 9, read: 1 << 62, got: 1 << 62, again: true},
		{kind: kindAck}, {kind: kindBye},
	} {
		f.Add(appendPacket(nil, p), appendPacket(nil, packet{kind: kindData, seq: 2, data: []byte("y")}))
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		s := newStream(&hub{timing: quick()}, ident{1})
		s.sent = 1
		s.kept.add([]byte("frame"))
		for _, raw := range [][]byte{a, b} {
			p, err := parsePacket(raw)
			if err != nil || s.failed != nil {
				continue
			}
			s.apply(p)
			s.kept.release(p.got, s.sent)
			if s.arrived-s.consumed > window+MaxFrame+frameCost || s.read > s.spent {
				t.Fatalf("%d bytes are held, %d of %d read", s.arrived-s.consumed, s.read, s.spent)
			}
			if len(s.kept.frames) == 0 {
				if p.got != 1 {
					t.Fatalf("forgot a frame for %+v", p)
				}
				return
			}
		}
	})
}

// FuzzReceive: nothing that a stranger sends to a hub, or one of its own peers, makes it panic or
// remember what was never opened.
func FuzzReceive(f *testing.F) {
	conn := bustest.Start(f).Conn(f, "admin")
	h := newHub(conn, "", quick())
	ids := []ident{{1}, {2}, {3}}
	for _, id := range ids {
		for _, p := range packets() {
			f.Add("n1", false, appendMessage(nil, id, p))
		}
		f.Add("n1", false, appendMessage(nil, id, packet{kind: kindHello, data: bytes.Repeat([]byte{7}, len(id))}))
		f.Add("n2", false, append(append(id[:], kindPulse, flagAnswer, 1), id[:]...))
	}
	f.Add("=l1", true, []byte{})
	f.Fuzz(func(t *testing.T, from string, nobody bool, b []byte) {
		var all []*Stream
		for i, id := range ids {
			s := newStream(h, id)
			if err := h.add(s); err != nil {
				t.Fatal(err)
			}
			if i > 0 { // the first does not know its other end yet
				s.meet("admin", "n1", ident{9}.String())
			}
			all = append(all, s)
		}
		m := nats.NewMsg(bus.StreamSubject("admin", from, h.id.String(), "out"))
		m.Data = b
		if nobody {
			m.Header.Set("Status", noResponders)
		}
		h.receive(m)
		h.receive(m)
		for _, s := range all {
			_ = s.Close()
		}
		if len(h.streams)+len(h.links)+len(h.replies) > 0 {
			t.Fatalf("%d streams, %d links and %d replies are left", len(h.streams), len(h.links), len(h.replies))
		}
	})
}
