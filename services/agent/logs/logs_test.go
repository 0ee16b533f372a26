package logs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/bustest"
	"github.com/skerry/skerry/bus/stream"
	"github.com/skerry/skerry/services/agent/logfile"
	"github.com/skerry/skerry/services/agent/sandbox"
)

// BenchmarkSend is a log of lines of 160 bytes from its file through the bus to a reader:
// agent, server and client in one process.
func BenchmarkSend(b *testing.B) {
	path := filepath.Join(b.TempDir(), "main_0.log")
	entry := "2026-01-02T03:04:05.000000000+01:00 stdout F " + strings.Repeat("x", 160) + "\n"
	if err := os.WriteFile(path, []byte(strings.Repeat(entry, 100_000)), 0o600); err != nil {
		b.Fatal(err)
	}
	h := func(ctx context.Context, _ bus.User, _ []byte, accept func() (*stream.Stream, error)) error {
		s, err := accept()
		if err != nil {
			return err
		}
		return logfile.Read(ctx, path, logfile.Options{Tail: -1}, sender(ctx, s, nil))
	}
	fabric := bustest.Start(b)
	node, user := fabric.Conn(b, bus.NodeUser("n1")), fabric.Conn(b, "admin")
	ctx, cancel := context.WithCancel(b.Context())
	served := make(chan error, 1)
	go func() { served <- stream.ServeNode(ctx, node, "n1", "logs", 1, h) }()
	defer func() { cancel(); <-served }()
	b.SetBytes(100_000 * 161)
	b.ReportAllocs()
	for b.Loop() {
		if err := receive(ctx, user); err != nil {
			b.Fatal(err)
		}
	}
}

func receive(ctx context.Context, user *bus.Conn) error {
	var s *stream.Stream
	for {
		var err error
		if s, err = stream.Dial(ctx, user, bus.NodeSubject("n1", user.User, "logs"), nil); err == nil {
			break
		}
		if !errors.Is(err, bus.ErrUnreachable) && !strings.Contains(err.Error(), "too many") {
			return err
		}
	}
	defer func() { _ = s.Close() }()
	n := 0
	for {
		f, err := s.Recv(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		n += len(f.Data)
	}
	if n != 100_000*161 {
		return fmt.Errorf("%d bytes came", n)
	}
	return nil
}

// TestRun: which run is meant, also while the next one is held back.
func TestRun(t *testing.T) {
	always := &v1.Pod{Spec: v1.PodSpec{RestartPolicy: v1.RestartPolicyAlways, Containers: []v1.Container{{Name: "c"}}}}
	never := &v1.Pod{Spec: v1.PodSpec{RestartPolicy: v1.RestartPolicyNever, Containers: []v1.Container{{Name: "c"}}}}
	at := func(attempt int, s sandbox.State) sandbox.Container {
		return sandbox.Container{ID: fmt.Sprint(attempt), Name: "c", Attempt: attempt, State: s}
	}
	for _, tc := range []struct {
		name             string
		pod              *v1.Pod
		runs             []sandbox.Container
		newest, previous string
	}{
		{"nothing has run", always, nil, "", ""},
		{"the first", always, []sandbox.Container{at(0, sandbox.Running)}, "0", ""},
		{"the second", always, []sandbox.Container{at(0, sandbox.Exited), at(1, sandbox.Running)}, "1", "0"},
		{"the third is held back", always, []sandbox.Container{at(1, sandbox.Exited)}, "1", "1"},
		{"the third is held back, the first still there", always, []sandbox.Container{at(0, sandbox.Exited), at(1, sandbox.Exited)}, "1", "1"},
		{"the third is made, not started", always, []sandbox.Container{at(1, sandbox.Exited), at(2, sandbox.Created)}, "1", "1"},
		{"it ended for good", never, []sandbox.Container{at(0, sandbox.Exited)}, "0", ""},
	} {
		for previous, want := range map[bool]string{false: tc.newest, true: tc.previous} {
			got := ""
			if c := run(tc.pod, &sandbox.Pod{Containers: tc.runs}, "c", previous); c != nil {
				got = c.ID
			}
			if got != want {
				t.Errorf("%s, previous %v: run %q, want %q", tc.name, previous, got, want)
			}
		}
	}
}
