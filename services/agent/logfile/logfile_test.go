package logfile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// line is an entry as a monitor writes it, at second n.
func line(n int, stream, tag, text string) string {
	at := time.Date(2026, 1, 2, 3, 4, 0, 5000, time.FixedZone("", 3600)).Add(time.Duration(n) * time.Second)
	return at.Format("2006-01-02T15:04:05.000000000-07:00") + " " + stream + " " + tag + " " + text + "\n"
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, path string, o Options) string {
	t.Helper()
	var b bytes.Buffer
	if err := Read(context.Background(), path, o, func(p []byte) error { b.Write(p); return nil }); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestRead(t *testing.T) {
	long := strings.Repeat("x", 3*bufferSize)
	for name, c := range map[string]struct {
		olds    []string // the oldest first
		current string
		o       Options
		want    string
	}{
		"all":        {current: line(1, "stdout", "F", "a") + line(2, "stderr", "F", "b"), o: Options{Tail: -1}, want: "a\nb\n"},
		"one output": {current: line(1, "stdout", "F", "a") + line(2, "stderr", "F", "b"), o: Options{Tail: -1, Stream: 2}, want: "b\n"},
		"times":      {current: line(1, "stdout", "F", "a"), o: Options{Tail: -1, Timestamps: true}, want: "2026-01-02T02:04:01.000005000Z a\n"},
		"since": {current: line(1, "stdout", "F", "a") + line(2, "stdout", "F", "b"), want: "b\n",
			o: Options{Tail: -1, Since: time.Date(2026, 1, 2, 2, 4, 2, 0, time.UTC)}},
		"a line in pieces": {current: line(1, "stdout", "P", "a") + line(2, "stdout", "P", "b") + line(2, "stdout", "F", "c"),
			o: Options{Tail: -1, Timestamps: true}, want: "2026-01-02T02:04:01.000005000Z abc\n"},
		"pieces of two outputs": {current: line(1, "stdout", "P", "a") + line(1, "stderr", "P", "x") + line(2, "stdout", "F", "b") + line(2, "stderr", "F", "y"),
			o: Options{Tail: -1}, want: "ab\nxy\n"},
		"no end":              {current: line(1, "stdout", "P", "a"), o: Options{Tail: -1}, want: "a"},
		"no end, then others": {current: line(1, "stdout", "P", "a") + line(1, "stderr", "F", "b"), o: Options{Tail: -1}, want: "a\nb\n"},
		"an empty line":       {current: line(1, "stdout", "F", ""), o: Options{Tail: -1}, want: "\n"},
		"torn":                {current: "garbage\n" + line(1, "stdout", "F", "a") + "2026 std", o: Options{Tail: -1}, want: "a\n"},
		"rotated":             {olds: []string{line(1, "stdout", "F", "a"), line(2, "stdout", "F", "b")}, current: line(3, "stdout", "F", "c"), o: Options{Tail: -1}, want: "a\nb\nc\n"},
		"over a rotation":     {olds: []string{line(1, "stdout", "P", "a")}, current: line(3, "stdout", "F", "b"), o: Options{Tail: -1}, want: "ab\n"},
		"tail":                {current: line(1, "stdout", "F", "a") + line(2, "stdout", "F", "b"), o: Options{Tail: 1}, want: "b\n"},
		"tail 0":              {current: line(1, "stdout", "F", "a"), o: Options{Tail: 0}, want: ""},
		"tail of too few":     {current: line(1, "stdout", "F", "a"), o: Options{Tail: 9}, want: "a\n"},
		"tail in pieces": {current: line(0, "stdout", "F", "z") + line(1, "stdout", "P", "a") + line(1, "stdout", "F", "b") + line(2, "stdout", "P", "c") + line(2, "stdout", "P", "d"),
			o: Options{Tail: 2}, want: "ab\ncd"},
		"tail over a rotation": {olds: []string{line(1, "stdout", "F", "a") + line(2, "stdout", "F", "b")}, current: line(3, "stdout", "F", "c"), o: Options{Tail: 2}, want: "b\nc\n"},
		"a huge entry":         {current: line(1, "stdout", "F", long) + line(2, "stdout", "F", "b"), o: Options{Tail: -1}, want: long + "\nb\n"},
		"tail after a huge one": {current: line(1, "stdout", "F", long) + line(2, "stdout", "F", "b"),
			o: Options{Tail: 1}, want: "b\n"},
		"tail with a huge one": {current: line(0, "stdout", "F", "z") + line(1, "stdout", "F", long) + line(2, "stdout", "F", "b"),
			o: Options{Tail: 2}, want: long + "\nb\n"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "main_0.log")
			for i, o := range c.olds {
				write(t, fmt.Sprintf("%s.%d", path, 9+i), o) // 9 before 10
			}
			write(t, path, c.current)
			if got := read(t, path, c.o); got != c.want {
				t.Errorf("got %d bytes %.200q, want %d %.200q", len(got), got, len(c.want), c.want)
			}
		})
	}
	if err := Read(context.Background(), filepath.Join(t.TempDir(), "x"), Options{}, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no log: %v", err)
	}
}

// TestMemoryIsBounded: neither a line without an end nor one that waits for it is kept.
func TestMemoryIsBounded(t *testing.T) {
	j := newJoiner(Options{}, func([]byte) error { return nil })
	piece := bytes.Repeat([]byte("x"), 8<<10)
	for i := range 1000 {
		if err := j.add(entry{stamp: []byte("t"), stream: 1 + byte(min(i, 1)), partial: true, content: piece}); err != nil {
			t.Fatal(err)
		}
		if cap(j.out) > 1<<20 || j.bytes > maxHeld {
			t.Fatalf("%d bytes are ready and %d held", cap(j.out), j.bytes)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(line(1, "stdout", "P", "a")+line(2, "stderr", "F", "b")), int64(1))
	f.Add([]byte("x stdout F\n\n stdout F a\nx stderr P \n"), int64(-1))
	f.Fuzz(func(t *testing.T, b []byte, tail int64) {
		path := filepath.Join(t.TempDir(), "main_0.log")
		write(t, path, string(b))
		all := read(t, path, Options{Tail: -1})
		if len(all) > len(b)+bytes.Count(b, []byte("\n"))+1 {
			t.Fatalf("%q became longer: %q", b, all)
		}
		read(t, path, Options{Tail: tail, Timestamps: true, Since: time.Unix(1, 0)})
	})
}

func BenchmarkRead(b *testing.B) {
	path := filepath.Join(b.TempDir(), "main_0.log")
	text := strings.Repeat(line(1, "stdout", "F", strings.Repeat("x", 120)), 50_000)
	write(b, path, text)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if err := Read(context.Background(), path, Options{Tail: -1}, func([]byte) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}
