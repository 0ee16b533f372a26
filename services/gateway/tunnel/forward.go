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

// Forward upgrades the client's connection and carries each connection that the client
// opens to the pod's port behind dial, until the client has left or ctx ends.
func Forward(ctx context.Context, w http.ResponseWriter, r *http.Request, dial func(ctx context.Context, port uint16) (*stream.Stream, error)) {
	conn, _, streams, err := upgrade(w, r, []string{forwardProtocol})
	if err != nil {
		return // the library has answered
	}
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
func forward(ctx context.Context, p *pair, dial func(ctx context.Context, port uint16) (*stream.Stream, error)) {
	defer p.err.Close()
	defer p.data.Close()
	port, err := strconv.ParseUint(p.data.Headers().Get(headerPort), 10, 16)
	if err != nil || port == 0 {
		_, _ = io.WriteString(p.err, "the port must be a number from 1 to 65535")
		return
	}
	st, err := dial(ctx, uint16(port))
	if err == nil {
		err = exchange(ctx, p.data, st)
	}
	if err != nil && ctx.Err() == nil {
		_, _ = io.WriteString(p.err, "error forwarding port "+strconv.Itoa(int(port))+" to pod: "+err.Error())
	}
}

// exchange copies both ways until both have ended, or the far side's has: a client that reads no
// more does not always say so.
func exchange(ctx context.Context, data httpstream.Stream, st *stream.Stream) error {
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
