package stream

// kept are the frames that were published and that the peer is not known to have, the
// oldest first. The window bounds them.
type kept struct {
	frames [][]byte
	spare  [][]byte // memory to use again
}

// maxSpare bounds what an idle stream holds on to: less than a window, of which the peer
// mostly takes half at once.
const maxSpare = 8

// buffer returns an empty buffer of at least that capacity.
func (k *kept) buffer(size int) []byte {
	if n := len(k.spare); n > 0 {
		b := k.spare[n-1]
		k.spare[n-1] = nil
		k.spare = k.spare[:n-1]
		if cap(b) >= size {
			return b[:0]
		}
	}
	return make([]byte, 0, size)
}

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
		if len(k.spare) < maxSpare {
			k.spare = append(k.spare, b)
		}
	}
	rest := copy(k.frames, k.frames[n:])
	clear(k.frames[rest:])
	k.frames = k.frames[:rest]
	return k.frames
}
