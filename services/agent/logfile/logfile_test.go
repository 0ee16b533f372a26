package logfile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/skerry/skerry/services/agent/sandbox"
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

// monitor writes numbered lines as conmon does: to a file that it opens anew when told.
type monitor struct {
	t       testing.TB
	path    string
	f       *os.File
	reopens chan chan struct{}
}

func (m *monitor) open() {
	f, err := os.OpenFile(m.path+".tmp", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err == nil {
		err = os.Rename(m.path+".tmp", m.path)
	}
	if err != nil {
		m.t.Error(err)
	}
	m.f = f
}

func (m *monitor) write(lines int) {
	for i := range lines {
		select {
		case done := <-m.reopens:
			_ = m.f.Close()
			m.open()
			close(done)
		default:
		}
		if _, err := m.f.WriteString(line(i, "stdout", "F", fmt.Sprint(i))); err != nil {
			m.t.Error(err)
		}
	}
	_ = m.f.Close()
}

// ReopenLog implements Runtime.
func (m *monitor) ReopenLog(ctx context.Context, name string) error {
	if name != "ns_pod_uid_main_0" {
		m.t.Errorf("reopen log of %s", name)
	}
	done := make(chan struct{})
	select {
	case m.reopens <- done:
		<-done
		return nil
	case <-ctx.Done():
		return sandbox.ErrNotFound
	}
}

// TestFollowOverRotation: every line arrives, once and in order, however often the log rotates.
func TestFollowOverRotation(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "ns_pod_uid", "main_0.log")
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	const lines = 20_000
	m := &monitor{t: t, path: path, reopens: make(chan chan struct{})}
	m.open()
	ctx, cancel := context.WithCancel(context.Background())
	k := &Keeper{Dir: dir, Size: 50_000, Files: 50, Runtime: m, Log: slog.New(slog.DiscardHandler)}
	rotations := make(chan struct{})
	go func() {
		defer close(rotations)
		for ctx.Err() == nil {
			k.look(ctx, time.Second)
		}
	}()
	var over atomic.Bool
	go func() {
		m.write(lines)
		cancel()
		<-rotations
		over.Store(true)
	}()
	next := 0
	var rest []byte
	err := Read(context.Background(), path, Options{Follow: true, Tail: -1, Alive: func() bool { return !over.Load() },
		Lost: func() { t.Error("lines were lost") }}, func(p []byte) error {
		rest = append(rest, p...)
		for {
			l, after, ok := bytes.Cut(rest, []byte("\n"))
			if !ok {
				return nil
			}
			if string(l) != fmt.Sprint(next) {
				return fmt.Errorf("line %s comes instead of %d", l, next)
			}
			next++
			rest = after
		}
	})
	if err != nil || next != lines {
		t.Fatalf("%d lines, %v", next, err)
	}
	if olds, _ := rotated(path); len(olds) < 5 {
		t.Errorf("the log was rotated %d times only", len(olds))
	}
}

// reopener counts calls, and makes the file unless it refuses.
type reopener struct {
	path  string
	err   error
	calls int
}

func (r *reopener) ReopenLog(context.Context, string) error {
	r.calls++
	if r.err == nil {
		_ = os.WriteFile(r.path, nil, 0o600)
	}
	return r.err
}

func TestKeeper(t *testing.T) {
	dir := t.TempDir()
	pod := filepath.Join(dir, "ns_pod_uid")
	path := filepath.Join(pod, "main_2.log")
	if err := os.MkdirAll(pod, 0o700); err != nil {
		t.Fatal(err)
	}
	rt := &reopener{path: path}
	k := &Keeper{Dir: dir, Size: 10, Files: 3, Runtime: rt, Log: slog.New(slog.DiscardHandler)}
	names := func() string {
		entries, _ := os.ReadDir(pod)
		var out []string
		for _, e := range entries {
			out = append(out, e.Name())
		}
		return strings.Join(out, " ")
	}
	for range 5 {
		write(t, path, "0123456789")
		k.look(context.Background(), time.Second)
	}
	if got := names(); got != "main_2.log main_2.log.4 main_2.log.5" {
		t.Errorf("kept %s", got)
	}
	// A container that has ended keeps its log as it is.
	rt.err = sandbox.ErrNotFound
	write(t, path, "0123456789")
	k.look(context.Background(), time.Second)
	if got := names(); got != "main_2.log main_2.log.4 main_2.log.5" {
		t.Errorf("kept %s", got)
	}
	// A rotation that was cut short is finished.
	rt.err = nil
	if err := os.Rename(path, path+".6"); err != nil {
		t.Fatal(err)
	}
	k.look(context.Background(), time.Second)
	if got := names(); got != "main_2.log main_2.log.4 main_2.log.5 main_2.log.6" {
		t.Errorf("kept %s", got)
	}
	// Only the last two runs, and only of pods that are wanted.
	for _, f := range []string{"main_0.log", "main_0.log.1", "main_1.log", "other_0.log"} {
		write(t, filepath.Join(pod, f), "")
	}
	if err := os.MkdirAll(filepath.Join(dir, "ns_gone_uid"), 0o700); err != nil {
		t.Fatal(err)
	}
	k.Wanted = func(context.Context) (map[string]bool, error) { return nil, errors.New("away") }
	if err := k.sweep(context.Background()); err == nil {
		t.Error("nobody knows what is wanted, and it was swept")
	}
	k.Wanted = func(context.Context) (map[string]bool, error) { return map[string]bool{"ns_pod_uid": true}, nil }
	if err := k.sweep(context.Background()); err != nil {
		t.Error(err)
	}
	if got := names(); got != "main_1.log main_2.log main_2.log.4 main_2.log.5 main_2.log.6 other_0.log" {
		t.Errorf("kept %s", got)
	}
	if _, err := os.Stat(filepath.Join(dir, "ns_gone_uid")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the logs of a pod that is gone: %v", err)
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
