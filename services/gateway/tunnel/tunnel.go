// Package tunnel carries the streams of commands and ports between HTTP clients and the
// agents: WebSocket or SPDY on one side, the bus' streams on the other.
//
// It reads and writes the client's connection, once it has upgraded it, and one stream of
// the bus per session or port. What always holds: a client that leaves ends its streams, an end of
// one direction leaves the other open, the last thing of a command is how it ended, and
// all goroutines end before the call returns.
package tunnel

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/streaming/pkg/httpstream/wsstream"

	"github.com/skerry/skerry/bus/remote"
	"github.com/skerry/skerry/bus/status"
	"github.com/skerry/skerry/bus/stream"
)

const (
	// idle is how long a session may be silent, as kubelets have it.
	idle = 4 * time.Hour
	// openTimeout bounds how long a client takes to open its streams.
	openTimeout = 30 * time.Second
	// piece is the most bytes that are read from a client at once.
	piece = 32 << 10
)

// Streams says which streams a command has.
type Streams struct{ Stdin, Stdout, Stderr, TTY bool }

// session is a client's side of a command.
type session struct {
	stdin, sizes   io.Reader // nil: there is none
	stdout, stderr io.Writer
	// outcome tells how the command ended.
	outcome func(metav1.Status) error
	// gone is closed when the client has left; nil if reading tells.
	gone  <-chan bool
	close func()
}

// Command upgrades the client's connection and carries its streams to st and back, until
// the command has ended, the client has left, or ctx ends. It closes st.
func Command(ctx context.Context, w http.ResponseWriter, r *http.Request, want Streams, st *stream.Stream) {
	defer st.Close()
	open := openSPDY
	if wsstream.IsWebSocketRequest(r) {
		open = openWebSocket
	}
	s, err := open(w, r, want)
	if err != nil {
		return // the library has answered
	}
	ctx, cancel := context.WithCancel(ctx)
	var pumps sync.WaitGroup
	defer pumps.Wait()
	defer s.close() // ends the pumps, which read
	defer cancel()
	if s.gone != nil {
		pumps.Go(func() {
			select {
			case <-s.gone:
				cancel()
			case <-ctx.Done():
			}
		})
	}
	if s.stdin != nil {
		pumps.Go(func() { sendInput(ctx, s.stdin, st) })
	}
	if s.sizes != nil {
		pumps.Go(func() {
			sendSizes(ctx, s.sizes, st)
			if s.gone == nil { // this channel ends with the connection
				cancel()
			}
		})
	}
	s.receive(ctx, st)
}

// receive writes what comes until the command's end.
func (s *session) receive(ctx context.Context, st *stream.Stream) {
	for {
		f, err := st.Recv(ctx)
		if errors.Is(err, io.EOF) {
			_ = s.outcome(metav1.Status{Status: metav1.StatusSuccess}) // an agent that says nothing else
			return
		}
		if err != nil {
			if ctx.Err() == nil {
				_ = s.outcome(status.Of(err))
			}
			return
		}
		switch f.Channel {
		case remote.Stdout:
			_, err = s.stdout.Write(f.Data)
		case remote.Stderr:
			_, err = s.stderr.Write(f.Data)
		case remote.Error:
			_ = s.outcome(outcomeOf(f.Data))
			return
		}
		if err != nil {
			return // the client has left
		}
	}
}

func outcomeOf(data []byte) metav1.Status {
	var st metav1.Status
	if err := json.Unmarshal(data, &st); err != nil {
		return apierrors.NewInternalError(err).Status()
	}
	return st
}

// sendInput sends stdin, and its end as an empty frame: the other direction goes on.
func sendInput(ctx context.Context, in io.Reader, st *stream.Stream) {
	buf := make([]byte, piece)
	for {
		n, err := in.Read(buf)
		if n > 0 && st.Send(ctx, stream.Frame{Channel: remote.Stdin, Data: buf[:n]}) != nil {
			return
		}
		if err != nil {
			_ = st.Send(ctx, stream.Frame{Channel: remote.Stdin})
			return
		}
	}
}

// sendSizes sends the terminal's sizes as they change.
func sendSizes(ctx context.Context, in io.Reader, st *stream.Stream) {
	sizes := json.NewDecoder(in)
	for {
		var size remote.Size
		if sizes.Decode(&size) != nil {
			return
		}
		b, err := json.Marshal(size)
		if err != nil || st.Send(ctx, stream.Frame{Channel: remote.Resize, Data: b}) != nil {
			return
		}
	}
}

// whole writes outcomes as Statuses, and text only their message if they are failures:
// older protocols know no more.
func whole(w io.Writer) func(metav1.Status) error {
	return func(st metav1.Status) error {
		b, err := json.Marshal(st)
		if err == nil {
			_, err = w.Write(b)
		}
		return err
	}
}

func text(w io.Writer) func(metav1.Status) error {
	return func(st metav1.Status) error {
		if st.Status == metav1.StatusSuccess {
			return nil
		}
		_, err := io.WriteString(w, st.Message)
		return err
	}
}
