package tunnel

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"k8s.io/streaming/pkg/httpstream"
	"k8s.io/streaming/pkg/httpstream/wsstream"

	"github.com/skerry/skerry/bus/remote"
	"github.com/skerry/skerry/bus/stream"
)

const (
	// forwardProtocol is that of ports over SPDY.
	forwardProtocol = "portforward.k8s.io"
	headerPort      = "port"
	headerRequest   = "requestID"
)

// pair is the two streams of one forwarded connection.
type pair struct {
	data, err opened
	since     time.Time
}

func (p *pair) complete() bool { return p.data.Stream != nil && p.err.Stream != nil }

// Dial opens a connection to a port of the pod.
type Dial func(ctx context.Context, port uint16) (*stream.Stream, error)

// Forward upgrades the client's connection and carries each connection that the client
// opens to the pod's port behind dial, until the client has left or ctx ends. An error is
// what to answer: then nothing was upgraded.
func Forward(ctx context.Context, w http.ResponseWriter, r *http.Request, dial Dial) error {
	var conn httpstream.Connection
	var streams <-chan opened
	var err error
	switch {
	case !wsstream.IsWebSocketRequest(r):
		conn, _, streams, err = upgrade(w, r, []string{forwardProtocol})
	case isNested(r):
		if err := checkNested(r, forwardProtocol); err != nil {
			return err
		}
		conn, streams, err = nested(w, r, forwardProtocol)
	default:
		ports, err := Ports(r.URL.Query())
		if err != nil {
			return err
		}
		forwardPorts(ctx, w, r, ports, dial)
		return nil
	}
	if err != nil {
		return nil //nolint:nilerr // the library has answered
	}
	serve(ctx, conn, streams, dial)
	return nil
}

// serve carries the streams of a connection that was upgraded.
func serve(ctx context.Context, conn httpstream.Connection, streams <-chan opened, dial Dial) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer conn.Close()
	defer cancel()
	waiting := map[string]*pair{}
	sweep := time.NewTicker(openTimeout)
	defer sweep.Stop()
	for {
		select {
		case o := <-streams:
			if p := match(waiting, o); p != nil {
				running.Go(func() {
					defer conn.RemoveStreams(p.data.Stream, p.err.Stream)
					forward(ctx, p, dial)
				})
			}
		case <-sweep.C: // halves whose other half did not come
			for id, p := range waiting {
				if time.Since(p.since) > openTimeout {
					reset(p.data, p.err)
					delete(waiting, id)
				}
			}
		case <-conn.CloseChan():
			return
		case <-ctx.Done():
			return
		}
	}
}

// match returns the pair that o completes, if it does.
func match(waiting map[string]*pair, o opened) *pair {
	h := o.Headers()
	id := h.Get(headerRequest)
	if id == "" { // old clients: consecutive streams, the error's first
		n := o.Identifier()
		if h.Get(headerType) == "data" {
			n -= 2
		}
		id = "#" + strconv.FormatUint(uint64(n), 10)
	}
	p := waiting[id]
	if p == nil {
		p = &pair{since: time.Now()}
		waiting[id] = p
	}
	switch {
	case h.Get(headerType) == "data" && p.data.Stream == nil:
		p.data = o
	case h.Get(headerType) == "error" && p.err.Stream == nil:
		p.err = o
	default:
		reset(o)
		return nil
	}
	if !p.complete() {
		return nil
	}
	delete(waiting, id)
	return p
}

func reset(streams ...opened) {
	for _, s := range streams {
		if s.Stream != nil {
			_ = s.Reset()
		}
	}
}

// forward carries one connection. What goes wrong is written on the error's stream.
func forward(ctx context.Context, p *pair, dial Dial) {
	defer p.err.Close()
	defer p.data.Close()
	port, err := strconv.ParseUint(p.data.Headers().Get(headerPort), 10, 16)
	if err != nil || port == 0 {
		_, _ = io.WriteString(p.err, "the port must be a number from 1 to 65535")
		return
	}
	connect(ctx, uint16(port), p.data, p.err, dial)
}

// connect carries one connection to port.
func connect(ctx context.Context, port uint16, data side, failure io.Writer, dial Dial) {
	st, err := dial(ctx, port)
	if err == nil {
		err = exchange(ctx, data, st)
	}
	if err != nil && ctx.Err() == nil {
		_, _ = io.WriteString(failure, "error forwarding port "+strconv.Itoa(int(port))+" to pod: "+err.Error())
	}
}

// side is the client's side of a connection.
type side interface {
	io.ReadWriteCloser
	// Reset ends both directions at once.
	Reset() error
}

// exchange copies both ways until both have ended, or the far side's has: a client that reads no
// more does not always say so.
func exchange(ctx context.Context, data side, st *stream.Stream) error {
	ctx, cancel := context.WithCancel(ctx)
	var up sync.WaitGroup
	defer up.Wait()
	defer data.Reset() // ends the reading below
	defer st.Close()
	defer cancel()
	up.Go(func() {
		buf := make([]byte, piece)
		for {
			n, err := data.Read(buf)
			if n > 0 && st.Send(ctx, stream.Frame{Channel: remote.Stdin, Data: buf[:n]}) != nil {
				return
			}
			if err != nil {
				if errors.Is(err, io.EOF) {
					_ = st.CloseSend(nil)
				} else {
					cancel() // the client has given this connection up
				}
				return
			}
		}
	})
	for {
		f, err := st.Recv(ctx)
		if errors.Is(err, io.EOF) {
			return data.Close()
		}
		if err != nil {
			return err
		}
		if _, err := data.Write(f.Data); err != nil {
			return nil //nolint:nilerr // the client has left
		}
	}
}
