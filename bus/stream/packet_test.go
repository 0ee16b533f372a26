package stream

import (
	"bytes"
	"reflect"
	"testing"
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
