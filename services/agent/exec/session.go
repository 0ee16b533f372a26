package exec

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/skerry/skerry/bus/remote"
	"github.com/skerry/skerry/bus/stream"
)

// streams are a session's as the runtime wants them.
type streams struct {
	stdin  *io.PipeReader // nil: none is asked for
	sizes  <-chan remote.Size
	output func(channel byte, p []byte) error
}

// session runs f between the stream and the runtime, and sends how it ended.
func session(ctx context.Context, s *stream.Stream, stdin bool, f func(context.Context, streams) (int, error)) error {
	code, err := between(ctx, s, stdin, f)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	last, err := json.Marshal(remote.Outcome(code, err))
	if err != nil {
		return fmt.Errorf("encode status: %w", err)
	}
	return s.Send(ctx, stream.Frame{Channel: remote.Error, Data: last})
}

func between(ctx context.Context, s *stream.Stream, stdin bool, f func(context.Context, streams) (int, error)) (int, error) {
	ctx, cancel := context.WithCancel(ctx)
	in, feed := io.Pipe()
	sizes := make(chan remote.Size, 1)
	received := make(chan struct{})
	go func() {
		defer close(received)
		receive(ctx, s, feed, sizes)
	}()
	defer func() {
		cancel() // ends receive
		_ = in.Close()
		<-received
	}()
	x := streams{sizes: sizes, output: func(ch byte, p []byte) error {
		return s.Send(ctx, stream.Frame{Channel: ch, Data: p})
	}}
	if stdin {
		x.stdin = in
	} else {
		_ = in.Close() // nobody would read it
	}
	return f(ctx, x)
}

// receive takes what the other side sends: stdin until it ends, and sizes, of
// which only the newest counts.
func receive(ctx context.Context, s *stream.Stream, stdin *io.PipeWriter, sizes chan remote.Size) {
	for {
		f, err := s.Recv(ctx)
		if err != nil {
			_ = stdin.CloseWithError(err) // io.EOF: the end of the input
			return
		}
		switch f.Channel {
		case remote.Stdin:
			if len(f.Data) == 0 { // the end of the input, with sizes still to come
				_ = stdin.Close()
				continue
			}
			if _, err := stdin.Write(f.Data); err != nil {
				// The command has ended or takes no input: sizes still count.
				continue
			}
		case remote.Resize:
			var size remote.Size
			if json.Unmarshal(f.Data, &size) != nil {
				continue
			}
			select {
			case <-sizes:
			default:
			}
			sizes <- size
		}
	}
}
