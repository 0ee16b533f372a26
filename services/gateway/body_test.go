package gateway

import (
	"bytes"
	"io"
	"testing"
)

// reads counts how often it is read.
type reads struct {
	io.Reader
	n int
}

func (r *reads) Read(p []byte) (int, error) {
	r.n++
	return r.Reader.Read(p)
}

// TestEntire: a body whose length is told is read at once, and one that lies about it wholly.
func TestEntire(t *testing.T) {
	for _, tt := range []struct {
		name         string
		size, length int
		most         int // reads, with the one that finds the end
		room         int // at most
	}{
		{"as long as it says", 20_000, 20_000, 2, 21_000},
		{"of a length that nobody tells", 20_000, -1, 100, 80_000},
		{"longer than it says", 20_000, 10, 100, 80_000},
		{"shorter than it says", 10, 3 << 20, 2, readAtOnce + 1000},
		{"empty", 0, 0, 1, 1000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want := bytes.Repeat([]byte("x"), tt.size)
			r := &reads{Reader: bytes.NewReader(want)}
			got, err := entire(r, int64(tt.length))
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("%d bytes, %v, want %d", len(got), err, tt.size)
			}
			if r.n > tt.most {
				t.Errorf("read %d times, want %d at most", r.n, tt.most)
			}
			if cap(got) > tt.room {
				t.Errorf("takes %d bytes, want %d at most", cap(got), tt.room)
			}
		})
	}
}
