package copy

import (
	"context"
	"errors"
	"io"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/remote"
	"github.com/skerry/skerry/bus/stream"
)

// resumer reads an archive, and goes on where it was when the connection breaks: the other
// side makes the archive once more and leaves out what has come already.
type resumer struct {
	ctx   context.Context
	open  func(ctx context.Context, skip int64) (io.ReadCloser, error)
	tries int // how often it may go on, all in all; negative: as often as it takes
	say   func(format string, args ...any)
	pause func(ctx context.Context, d time.Duration) error

	in    io.ReadCloser
	read  int64
	tried int
	delay wait.Backoff
}

// newDelay is how long is waited before going on: longer each time, a little random.
func newDelay() wait.Backoff {
	return wait.Backoff{Duration: 500 * time.Millisecond, Factor: 2, Jitter: 0.5, Steps: 6, Cap: 10 * time.Second}
}

// Read implements io.Reader.
func (r *resumer) Read(p []byte) (int, error) {
	for {
		var n int
		var err error
		if r.in == nil {
			r.in, err = r.open(r.ctx, r.read)
		}
		if err == nil {
			n, err = r.in.Read(p)
			r.read += int64(n)
		}
		if n > 0 {
			r.delay = newDelay()
			return n, nil // an error comes again, or is the next call's
		}
		if err == nil {
			continue
		}
		r.Close()
		if err := r.again(err); err != nil {
			return 0, err
		}
	}
}

// again waits until it is time to go on; it returns err if that is not allowed or of no use.
func (r *resumer) again(err error) error {
	if !broken(err) || r.tries >= 0 && r.tried >= r.tries {
		return err
	}
	r.tried++
	if r.tries < 0 {
		r.say("Resuming copy at %d bytes, retry %d", r.read, r.tried)
	} else {
		r.say("Resuming copy at %d bytes, retry %d/%d", r.read, r.tried, r.tries)
	}
	if perr := r.pause(r.ctx, r.delay.Step()); perr != nil {
		return err
	}
	return nil
}

// Close frees the stream that is open.
func (r *resumer) Close() {
	if r.in != nil {
		_ = r.in.Close()
		r.in = nil
	}
}

// broken tells whether an error is the connection's or of a service that comes back, rather
// than an answer.
func broken(err error) bool {
	for _, e := range []error{stream.ErrPeerLost, stream.ErrGap, io.ErrUnexpectedEOF, bus.ErrUnreachable} {
		if errors.Is(err, e) {
			return true
		}
	}
	return apierrors.IsServiceUnavailable(err) || apierrors.IsTimeout(err) || apierrors.IsTooManyRequests(err)
}

// incoming is one stream's bytes.
type incoming struct {
	reader
}

// Close implements io.Closer.
func (a *incoming) Close() error { return a.st.Close() }

// openArchive asks for the archive of a path, without its first bytes.
func (e *end) openArchive(from string) func(ctx context.Context, skip int64) (io.ReadCloser, error) {
	return func(ctx context.Context, skip int64) (io.ReadCloser, error) {
		st, err := e.ask(ctx, remote.Copy{Path: from, Skip: skip})
		if err != nil {
			return nil, err
		}
		return &incoming{reader{ctx: ctx, st: st}}, nil
	}
}
