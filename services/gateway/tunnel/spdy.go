package tunnel

import (
	"errors"
	"io"
	"net/http"
	"time"

	"k8s.io/streaming/pkg/httpstream"
	"k8s.io/streaming/pkg/httpstream/spdy"
)

// protocols of commands over SPDY, the best first: only the fourth tells exit codes, and only
// the third and fourth know of sizes.
var protocols = []string{"v4.channel.k8s.io", "v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io"}

// headerType says which stream of a command or port a stream is.
const headerType = "streamType"

// maxStreams bounds how many streams one connection may open.
const maxStreams = 1024

// opened is a stream that the client has opened; replied is closed when it knows.
type opened struct {
	httpstream.Stream
	replied <-chan struct{}
}

// upgrade makes the connection one of SPDY. Streams come on the channel; beyond the limit
// they are refused.
func upgrade(w http.ResponseWriter, r *http.Request, supported []string) (httpstream.Connection, string, <-chan opened, error) {
	protocol, err := httpstream.Handshake(r, w, supported)
	if err != nil {
		return nil, "", nil, err
	}
	streams, take := incoming()
	conn := spdy.NewResponseUpgrader().UpgradeResponse(w, r, take)
	if conn == nil {
		return nil, "", nil, errors.New("upgrade to SPDY failed")
	}
	conn.SetIdleTimeout(idle)
	return conn, protocol, streams, nil
}

// incoming returns a channel of streams and what puts them there.
func incoming() (<-chan opened, httpstream.NewStreamHandler) {
	streams := make(chan opened, 16)
	n := 0 // only the connection's own goroutine counts
	return streams, func(s httpstream.Stream, replied <-chan struct{}) error {
		if n++; n > maxStreams {
			return errors.New("too many streams")
		}
		select {
		case streams <- opened{s, replied}:
			return nil
		case <-time.After(openTimeout):
			return errors.New("nobody waits for this stream")
		}
	}
}

func openSPDY(w http.ResponseWriter, r *http.Request, want Streams) (*session, error) {
	conn, protocol, streams, err := upgrade(w, r, protocols)
	if err != nil {
		return nil, err
	}
	sizes := want.TTY && (protocol == protocols[0] || protocol == protocols[1])
	missing := 1
	for _, is := range []bool{want.Stdin, want.Stdout, want.Stderr, sizes} {
		if is {
			missing++
		}
	}
	s := &session{stdout: io.Discard, stderr: io.Discard, gone: conn.CloseChan(), close: func() { _ = conn.Close() }}
	expired := time.NewTimer(openTimeout)
	defer expired.Stop()
	for ; missing > 0; missing-- {
		select {
		case o := <-streams:
			if err := s.take(o, protocol); err != nil {
				s.close()
				return nil, err
			}
		case <-conn.CloseChan():
			return nil, errors.New("the client has left")
		case <-expired.C:
			s.close()
			return nil, errors.New("the client did not open its streams in time")
		}
	}
	return s, nil
}

// take gives the stream its place, once the client knows that it is open.
func (s *session) take(o opened, protocol string) error {
	select {
	case <-o.replied:
	case <-time.After(openTimeout):
		return errors.New("the stream could not be confirmed")
	}
	switch o.Headers().Get(headerType) {
	case "error":
		s.outcome = text(o)
		if protocol == protocols[0] {
			s.outcome = whole(o)
		}
	case "stdin":
		s.stdin = o
	case "stdout":
		s.stdout = o
	case "stderr":
		s.stderr = o
	case "resize":
		s.sizes = o
	default:
		return errors.New("unknown stream")
	}
	return nil
}
