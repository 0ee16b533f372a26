package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/skerry/skerry/bus/stream"
)

// half is a connection whose directions end one by one.
type half interface{ CloseWrite() error }

// Join copies both ways between a stream and a connection until both directions have
// ended or one has failed. The caller closes both.
func Join(ctx context.Context, s *stream.Stream, conn net.Conn) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() }) // ends a read that waits
	defer stop()
	in := make(chan error, 1)
	go func() { in <- receive(ctx, s, conn) }()
	err := send(ctx, s, conn)
	if err != nil {
		cancel()
	}
	return errors.Join(err, <-in)
}

// receive copies the stream to the connection and passes its end on.
func receive(ctx context.Context, s *stream.Stream, conn net.Conn) error {
	for {
		f, err := s.Recv(ctx)
		if errors.Is(err, io.EOF) {
			if h, ok := conn.(half); ok {
				_ = h.CloseWrite() // a connection that is closed has ended as well
			}
			return nil
		}
		if err == nil {
			_, err = conn.Write(f.Data)
		}
		if err != nil {
			_ = conn.Close() // ends the other direction
			return fmt.Errorf("forward to connection: %w", err)
		}
	}
}

// send copies the connection to the stream and passes its end on.
func send(ctx context.Context, s *stream.Stream, conn net.Conn) error {
	buf := make([]byte, 32<<10)
	for {
		n, err := conn.Read(buf)
		if n > 0 {
			if err := s.Send(ctx, stream.Frame{Channel: Stdout, Data: buf[:n]}); err != nil {
				return fmt.Errorf("forward from connection: %w", err)
			}
		}
		if errors.Is(err, io.EOF) {
			return s.CloseSend(nil)
		}
		if err != nil {
			return fmt.Errorf("forward from connection: %w", err)
		}
	}
}
