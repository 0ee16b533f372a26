package logfile

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
)

// TestTailCounts compares with the plain way, over random logs.
func TestTailCounts(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 30 {
		path := filepath.Join(t.TempDir(), "main_0.log")
		var all []string
		text := ""
		for i := range r.IntN(400) {
			parts := 1 + r.IntN(3)
			whole := ""
			for p := range parts {
				tag := "P"
				if p == parts-1 {
					tag = "F"
				}
				piece := strings.Repeat("y", r.IntN(1+r.IntN(9000)))
				whole += piece
				text += line(i, "stdout", tag, piece)
			}
			all = append(all, whole+"\n")
			if r.IntN(150) == 0 {
				olds, _ := rotated(path)
				write(t, fmt.Sprintf("%s.%d", path, len(olds)+1), text)
				text = ""
			}
		}
		write(t, path, text)
		n := r.IntN(420)
		want := strings.Join(all[max(0, len(all)-n):], "")
		if got := read(t, path, Options{Tail: int64(n)}); got != want {
			t.Fatalf("%d of %d lines: %d bytes instead of %d", n, len(all), len(got), len(want))
		}
	}
}

// TestTailOfTwoOutputs compares with the end of the whole log, over random logs in which
// the pieces of lines of both outputs are mixed.
func TestTailOfTwoOutputs(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		path := filepath.Join(t.TempDir(), "main_0.log")
		text := ""
		for i := range r.IntN(60) {
			stream := []string{"stdout", "stderr"}[r.IntN(1+r.IntN(2))]
			text += line(i, stream, []string{"P", "F"}[r.IntN(2)], fmt.Sprintf("%s%d;", stream, i))
			if r.IntN(20) == 0 {
				olds, _ := rotated(path)
				write(t, fmt.Sprintf("%s.%d", path, len(olds)+1), text)
				text = ""
			}
		}
		write(t, path, text)
		all := strings.SplitAfter(read(t, path, Options{Tail: -1}), "\n")
		if all[len(all)-1] == "" {
			all = all[:len(all)-1]
		}
		for n := range len(all) + 2 {
			want := strings.Join(all[max(0, len(all)-n):], "")
			if got := read(t, path, Options{Tail: int64(n)}); got != want {
				t.Fatalf("%d of %d lines: %q instead of %q", n, len(all), got, want)
			}
		}
	}
}

// TestTailOfARareOutput: an output that is seldom written to has not the whole log read for
// the beginning of its last line, nor kept in memory.
func TestTailOfARareOutput(t *testing.T) {
	c := counter{want: 1 << 30}
	head := []byte(line(1, "stderr", "F", "rare"))
	c.entry(head, placeOf(1, 1<<30), 50)
	head = []byte(line(1, "stdout", "F", "often"))
	for i := range 100_000 {
		if c.entry(head, placeOf(1, 1<<30-int64(i+1)*50), 50) {
			t.Fatal("that many lines are not there")
		}
		if len(c.begun[1]) > 2*maxHeld/50 {
			t.Fatalf("%d lines wait for the beginning of one", len(c.begun[1]))
		}
	}
	if c.lines < 99_000 || c.from[2] == 0 {
		t.Errorf("%d lines were counted, the rare one from %d", c.lines, c.from[2])
	}
}
