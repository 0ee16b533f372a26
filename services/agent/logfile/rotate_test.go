package logfile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skerry/skerry/services/agent/sandbox"
)

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

// write writes lines, and no more than most bytes to one file: it waits for the rotation then.
func (m *monitor) write(lines, most int) {
	size := 0
	reopen := func(done chan struct{}) {
		_ = m.f.Close()
		m.open()
		close(done)
		size = 0
	}
	for i := range lines {
		if size > most {
			reopen(<-m.reopens)
		}
		select {
		case done := <-m.reopens:
			reopen(done)
		default:
		}
		n, err := m.f.WriteString(line(i, "stdout", "F", fmt.Sprint(i)))
		if err != nil {
			m.t.Error(err)
		}
		size += n
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
		m.write(lines, 100_000)
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
	if got := names(); got != "main_2.log main_2.log.5 main_2.log.6" {
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
	if got := names(); got != "main_1.log main_2.log main_2.log.5 main_2.log.6 other_0.log" {
		t.Errorf("kept %s", got)
	}
	if _, err := os.Stat(filepath.Join(dir, "ns_gone_uid")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the logs of a pod that is gone: %v", err)
	}
}

// TestSlowReader: what somebody follows stays until it was read, up to the bound; beyond it
// the oldest files go, and the reader is told.
func TestSlowReader(t *testing.T) {
	const files = 20
	size := int64(len(line(0, "stdout", "F", "00")))
	for name, c := range map[string]struct {
		hold  int64
		olds  int // while the reader waits
		lines string
		lost  int
	}{
		"within the bound": {hold: files * size, olds: files, lines: "00 01 02 03 04 05 06 07 08 09 10 11 12 13 14 15 16 17 18 19 end"},
		"beyond the bound": {hold: 3*size + 1, olds: 2 + 3, lines: "00 15 16 17 18 19 end", lost: 1},
		"no bound":         {hold: 0, olds: 2, lines: "00 18 19 end", lost: 1},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "ns_pod_uid", "main_0.log")
			if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			readers := &Readers{}
			k := &Keeper{Dir: dir, Size: size, Files: 3, Hold: c.hold, Readers: readers, Runtime: &reopener{path: path}, Log: slog.New(slog.DiscardHandler),
				Wanted: func(context.Context) (map[string]bool, error) { return nil, nil }}
			var over atomic.Bool
			var got []string
			lost := 0
			waits, goOn, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
			write(t, path, line(0, "stdout", "F", "00"))
			go func() {
				o := Options{Follow: true, Tail: -1, Readers: readers, Alive: func() bool { return !over.Load() }, Lost: func() { lost++ }}
				done <- Read(context.Background(), path, o, func(p []byte) error {
					if len(got) == 0 {
						close(waits)
						<-goOn
					}
					got = append(got, strings.Fields(string(p))...)
					return nil
				})
			}()
			<-waits
			for i := 1; i <= files; i++ {
				k.look(context.Background(), time.Second)
				text := fmt.Sprintf("%02d", i)
				if i == files {
					text = "end"
				}
				write(t, path, line(i, "stdout", "F", text))
			}
			if olds, _ := rotated(path); len(olds) != c.olds {
				t.Errorf("%d old files were kept, want %d", len(olds), c.olds)
			}
			if err := k.sweep(context.Background()); err != nil {
				t.Error(err)
			}
			over.Store(true)
			close(goOn)
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			if all := strings.Join(got, " "); all != c.lines || lost != c.lost {
				t.Errorf("read %s, told %d times that lines were lost", all, lost)
			}
			// It has left: no more is kept than without it.
			k.Size = 1 << 20
			k.look(context.Background(), time.Second)
			if olds, _ := rotated(path); len(olds) != 2 {
				t.Errorf("%d old files are left", len(olds))
			}
			if err := k.sweep(context.Background()); err != nil {
				t.Error(err)
			}
			if _, err := os.Stat(filepath.Dir(path)); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the log of a pod that is gone: %v", err)
			}
		})
	}
}

// forgetful is a monitor that does not come to begin a file.
type forgetful struct{ told int }

// ReopenLog implements Runtime.
func (f *forgetful) ReopenLog(context.Context, string) error { f.told++; return nil }

// TestSlowMonitor: a monitor that is slow is not told again at once: it would begin two files,
// the second in place of the first.
func TestSlowMonitor(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "ns_pod_uid", "main_0.log")
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, path, "0123456789")
	synctest.Test(t, func(t *testing.T) {
		m := &forgetful{}
		k := &Keeper{Dir: dir, Size: 10, Files: 3, Runtime: m, Log: slog.New(slog.DiscardHandler)}
		for range 5 {
			k.look(t.Context(), time.Second)
			time.Sleep(fastest)
		}
		if m.told != 1 {
			t.Errorf("it was told %d times for one rotation", m.told)
		}
		time.Sleep(slowMonitor)
		k.look(t.Context(), time.Second)
		k.look(t.Context(), time.Second)
		if m.told != 2 {
			t.Errorf("it was told %d times, and still has no file", m.told)
		}
	})
}
