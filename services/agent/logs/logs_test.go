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

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/bustest"
	"github.com/skerry/skerry/bus/stream"
	"github.com/skerry/skerry/services/agent/logfile"
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
