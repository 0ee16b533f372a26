package stream

import (
	"encoding/binary"
	"errors"
)

// What travels in one message: 16 bytes that name the stream, a kind byte, then
//
//	data  'd'  uvarint sequence, channel byte, data
//	end   'e'  uvarint sequence, JSON of a Status or nothing
//	beat  'b'  flags byte (1: answer with a beat, 2: send again what follows the frames
//	           received), uvarint frames sent, uvarint bytes read, uvarint frames received
//	ack   'a'  nothing: the end has arrived
//	bye   'x'  nothing: this side is closed
//	hello 'h'  16 bytes that name the sender's hub: it has this stream, do you?
//
// A pulse names the sender's hub in place of a stream:
//
//	pulse 'p'  flags byte (1: heartbeats of all streams are wanted), uvarint how many
//	           streams it has to the receiver's hub, 16 bytes that are the sum (XOR) of their names
//
// Sequences count data and end of one direction from 1. A beat is heartbeat and
// credit in one; its numbers are totals, so that a lost beat does no harm, and
// frames that were lost at the tail show.
const (
	kindData  = 'd'
	kindEnd   = 'e'
	kindBeat  = 'b'
	kindAck   = 'a'
	kindBye   = 'x'
	kindHello = 'h'
	kindPulse = 'p'
)

const (
	flagAnswer = 1
	flagAgain  = 2
)

// maxHeader is the most that a packet has beside its data.
const maxHeader = len(ident{}) + 2 + 3*binary.MaxVarintLen64

var errPacket = errors.New("stream: malformed frame")

// packet is one parsed message.
type packet struct {
	kind    byte
	channel byte
	answer  bool
	again   bool   // beat
	seq     uint64 // data, end: the frame's; beat: the last one sent
	read    uint64 // beat
	got     uint64 // beat: the last frame received, 0 from a peer that does not tell
	data    []byte // data, end, hello
}

// appendMessage renders p, of the stream of that name.
func appendMessage(b []byte, id ident, p packet) []byte { return appendPacket(append(b, id[:]...), p) }

// appendPacket renders p.
func appendPacket(b []byte, p packet) []byte {
	b = append(b, p.kind)
	switch p.kind {
	case kindData:
		b = binary.AppendUvarint(b, p.seq)
		b = append(b, p.channel)
		b = append(b, p.data...)
	case kindEnd:
		b = binary.AppendUvarint(b, p.seq)
		b = append(b, p.data...)
	case kindHello:
		b = append(b, p.data...)
	case kindBeat:
		flags := byte(0)
		if p.answer {
			flags = flagAnswer
		}
		if p.again {
			flags |= flagAgain
		}
		b = append(b, flags)
		b = binary.AppendUvarint(b, p.seq)
		b = binary.AppendUvarint(b, p.read)
		b = binary.AppendUvarint(b, p.got)
	}
	return b
}

// parsePacket undoes appendPacket. The packet shares b's memory. Bytes after the
// known ones of beat, ack and bye are ignored, so that later versions can add some.
func parsePacket(b []byte) (packet, error) {
	if len(b) == 0 {
		return packet{}, errPacket
	}
	p := packet{kind: b[0]}
	b = b[1:]
	var err error
	switch p.kind {
	case kindData:
		if p.seq, b, err = cutUvarint(b); err != nil {
			return packet{}, err
		}
		if len(b) == 0 || len(b)-1 > MaxFrame {
			return packet{}, errPacket
		}
		p.channel, p.data = b[0], b[1:]
	case kindEnd:
		if p.seq, p.data, err = cutUvarint(b); err != nil {
			return packet{}, err
		}
	case kindBeat:
		if len(b) == 0 {
			return packet{}, errPacket
		}
		p.answer, p.again = b[0]&flagAnswer != 0, b[0]&flagAgain != 0
		if p.seq, b, err = cutUvarint(b[1:]); err != nil {
			return packet{}, err
		}
		if p.read, b, err = cutUvarint(b); err != nil {
			return packet{}, err
		}
		if len(b) > 0 {
			if p.got, _, err = cutUvarint(b); err != nil {
				return packet{}, err
			}
		}
	case kindAck, kindBye:
	default:
		return packet{}, errPacket
	}
	return p, nil
}

func cutUvarint(b []byte) (uint64, []byte, error) {
	v, n := binary.Uvarint(b)
	if n <= 0 {
		return 0, nil, errPacket
	}
	return v, b[n:], nil
}
