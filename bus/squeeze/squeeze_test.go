package squeeze

import (
	"bytes"
	"compress/gzip"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// plain is what a client makes of a compressed answer.
func plain(t *testing.T, z []byte) string {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(z))
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// noise is text that does not get any shorter.
func noise(n int) string {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return string(b)
}

func TestGzip(t *testing.T) {
	var p Press
	var all sync.WaitGroup
	for _, text := range []string{"", "a", strings.Repeat("list ", 100_000), strings.Repeat("tsil ", 100_000), noise(1 << 20), noise(5 << 20)} {
		for range 4 {
			all.Go(func() {
				if got := plain(t, p.Gzip([]byte(text))); got != text {
					t.Errorf("%d bytes became %d", len(text), len(got))
				}
			})
		}
	}
	all.Wait()
}

// TestSameText: what is asked for again is not worked out again, but another text of the
// same digest is.
func TestSameText(t *testing.T) {
	var p Press
	text := strings.Repeat("list ", 100_000)
	first, again := p.Gzip([]byte(text)), p.Gzip([]byte(text))
	if &first[0] != &again[0] {
		t.Error("the same text was compressed twice")
	}
	for _, one := range p.known {
		one.text = []byte("another")
	}
	if got := plain(t, p.Gzip([]byte(text))); got != text {
		t.Errorf("got %.20q…", got)
	}
}

// holds says how much p remembers, and how much it thinks that is.
func (p *Press) holds() (texts, size, counted int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	counted = p.bytes
	for _, one := range p.known {
		texts++
		size += len(one.text) + len(one.gzip())
	}
	return texts, size, counted
}

// TestBounded: it remembers so much and so long, and knows how much that is.
func TestBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p Press
		for n := range 40 {
			p.Gzip([]byte(noise(1<<20 + n)))
		}
		texts, size, counted := p.holds()
		if size > kept+1<<10 || texts < 3 || counted != size {
			t.Errorf("%d texts, %d bytes, counted as %d", texts, size, counted)
		}
		time.Sleep(keptFor + time.Second) // the bubble's clock
		synctest.Wait()
		if texts, _, counted := p.holds(); texts != 0 || counted != 0 {
			t.Errorf("still %d texts, %d bytes", texts, counted)
		}
	})
}
