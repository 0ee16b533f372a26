package stream

import (
	"math/bits"
	"sync"
)

// kept are the frames that were published and that the peer is not known to have, the
// oldest first. The window bounds them.
type kept struct{ frames [][]byte }

// buffer returns an empty buffer of at least that capacity.
func (k *kept) buffer(size int) []byte { return spare.take(size) }

func (k *kept) add(b []byte) { k.frames = append(k.frames, b) }

// release forgets the frames up to number got, when sent is the newest one's number,
// and returns the others.
func (k *kept) release(got, sent uint64) [][]byte {
	first := sent - uint64(len(k.frames)) + 1
	if got < first || got > sent {
		return k.frames
	}
	n := int(got - first + 1)
	for _, b := range k.frames[:n] {
		spare.put(b)
	}
	rest := copy(k.frames, k.frames[n:])
	clear(k.frames[rest:])
	k.frames = k.frames[:rest]
	return k.frames
}

// spare is memory of frames to use again, of all streams of the process: a peer takes half a
// window at once, and there are too many idle streams for each to hold on to some.
var spare buffers

// buffers are kept until the next collections of garbage, by the power of two that their
// capacity is. Safe for concurrent use.
type buffers [bits.UintSize + 1]sync.Pool

func (p *buffers) take(size int) []byte {
	class := bits.Len(uint(max(size-1, 0)))
	if b, ok := p[class].Get().(*[]byte); ok {
		return (*b)[:0]
	}
	return make([]byte, 0, 1<<class)
}

func (p *buffers) put(b []byte) {
	if class := bits.Len(uint(cap(b))) - 1; class >= 0 && cap(b) == 1<<class {
		p[class].Put(&b)
	}
}
