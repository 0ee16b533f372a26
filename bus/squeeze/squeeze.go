// Package squeeze compresses bodies of answers, and remembers the last ones: a list that did
// not change is asked for again and again, or by many at once.
//
// It reads and writes nothing but memory. What always holds: what it returns is of the
// text that it was given, compared byte for byte with what it remembers, and it remembers
// at most 8 MiB, for at most ten seconds.
package squeeze

import (
	"bytes"
	"hash/maphash"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"
)

const (
	// From is how long a body must be to be worth compressing, as in Kubernetes.
	From = 128 << 10
	// kept is how many bytes of texts and what they became are remembered, and keptFor how
	// long after the first of them came.
	kept    = 8 << 20
	keptFor = 10 * time.Second
)

var seed = maphash.MakeSeed()

// Press compresses texts. The zero Press is ready. Safe for concurrent use.
type Press struct {
	mu    sync.Mutex
	known map[uint64]*pressed
	bytes int // of known
}

type pressed struct {
	text []byte
	gzip func() []byte // works it out once, for all who ask at the same time
}

// Gzip returns text compressed, shared: do not change it. text must not change any more.
func (p *Press) Gzip(text []byte) []byte {
	key := maphash.Bytes(seed, text)
	p.mu.Lock()
	have := p.known[key]
	if have == nil {
		have = p.add(key, text)
	}
	p.mu.Unlock()
	if have == nil || !bytes.Equal(have.text, text) {
		return Gzip(text)
	}
	return have.gzip()
}

// add remembers text if there is room; nil if there is none. It needs p.mu.
func (p *Press) add(key uint64, text []byte) *pressed {
	if p.bytes+2*len(text) > kept { // what it becomes is not longer than it is
		return nil
	}
	if p.known == nil {
		p.known = map[uint64]*pressed{}
		time.AfterFunc(keptFor, p.forget)
	}
	p.bytes += 2 * len(text)
	one := &pressed{text: text}
	one.gzip = sync.OnceValue(func() []byte {
		out := Gzip(text)
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.known[key] == one {
			p.bytes -= len(text) - len(out)
		}
		return out
	})
	p.known[key] = one
	return one
}

func (p *Press) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known, p.bytes = nil, 0
}

var writers = sync.Pool{New: func() any {
	z, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // the level is a valid one
	return z
}}

// Gzip returns text compressed, quickly rather than well.
func Gzip(text []byte) []byte {
	var out bytes.Buffer
	z := writers.Get().(*gzip.Writer) //nolint:forcetypeassert // only those are in it
	defer writers.Put(z)
	z.Reset(&out)
	_, _ = z.Write(text) // a buffer takes everything
	_ = z.Close()
	return out.Bytes()
}
