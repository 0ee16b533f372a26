// Package stream carries byte frames both ways between a user and an agent or
// the apiserver: watches, logs, exec. Nobody listens on a port.
//
// What always holds: frames arrive in order, once, or the stream ends with an
// error; a slow reader stops the writer (credits in bytes), so neither side's
// memory grows; a peer that vanishes ends the stream within 15 seconds.
package stream

import (
	"context"
	"errors"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/schemas"
)

var (
	// ErrPeerLost: no sign of life for 15 seconds.
	ErrPeerLost = errors.New("stream: the other side is gone")
	// ErrGap: frames were lost on the way (a reconnect); open it again.
	ErrGap = errors.New("stream: frames lost")
)

// Frame is one message of a stream: a channel (stdin, stdout, … as the user of the
// stream defines it) and up to 64 KiB of data; longer data is split by Send.
type Frame struct {
	Channel byte
	Data    []byte
}

// Stream is one end. Send and Recv may be called from different goroutines.
type Stream struct{}

// Send blocks while the other side has given no credit. io.ErrClosedPipe after Close.
func (s *Stream) Send(ctx context.Context, f Frame) error { panic("skeleton") }

// Recv returns the next frame, io.EOF after the other side's CloseSend(nil), the
// other side's error after CloseSend(err), ErrPeerLost or ErrGap.
func (s *Stream) Recv(ctx context.Context) (Frame, error) { panic("skeleton") }

// CloseSend tells the other side that no more frames come, with an error or nil.
// A Kubernetes Status error arrives as a Status error.
func (s *Stream) CloseSend(err error) error { panic("skeleton") }

// Close ends both directions and frees the subscription.
func (s *Stream) Close() error { panic("skeleton") }

// Dial opens a stream by a request on subject (a NodeSubject or APISubject) with
// hello as its payload. A refusal comes back as the Status error that the handler returned.
func Dial(ctx context.Context, conn *bus.Conn, subject string, hello []byte) (*Stream, error) {
	panic("skeleton")
}

// Handler serves one stream; who and hello are the dialler's user and payload. It
// returns when done: its error is what the other side's Recv gets. An error before
// the first call of accept is a refusal, returned by Dial.
type Handler func(ctx context.Context, who bus.User, hello []byte, accept func() (*Stream, error)) error

// ServeNode serves verb on node.<node>.*.<verb> until ctx ends, then waits for
// running handlers. At most limit streams at once; more are refused.
func ServeNode(ctx context.Context, conn *bus.Conn, node schemas.NodeName, verb string, limit int, h Handler) error {
	panic("skeleton")
}
