package squeeze

import (
	"bytes"
	"compress/gzip"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
)

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
	var all sync.WaitGroup
	for _, text := range []string{"", "a", strings.Repeat("list ", 100_000), strings.Repeat("tsil ", 100_000), noise(1 << 20)} {
		for range 4 {
			all.Go(func() {
				r, err := gzip.NewReader(bytes.NewReader(Gzip([]byte(text))))
				if err != nil {
					t.Error(err)
					return
				}
				if got, err := io.ReadAll(r); err != nil || string(got) != text {
					t.Errorf("%d bytes became %d: %v", len(text), len(got), err)
				}
			})
		}
	}
	all.Wait()
}
