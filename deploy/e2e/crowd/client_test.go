package crowd

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// maxWindow lets the gateway send without waiting for this client.
const maxWindow = 1<<31 - 1

// conn is an HTTP/2 connection reduced to what watching takes: a request is one frame, a
// watch that rests a few bytes. net/http's client has three goroutines and buffers for each.
type conn struct {
	tls   *tls.Conn
	names string // of the server
	heard func(message)
	ended chan struct{} // closed when nothing more will be heard

	mu     sync.Mutex // writing
	framer *http2.Framer
	head   bytes.Buffer
	hpack  *hpack.Encoder
	next   uint32
}

// message is what arrived: a request's answer has a status, an event data, and the end of
// one is its last.
type message struct {
	conn   *conn
	stream uint32
	status string
	after  string // Retry-After
	data   []byte
	last   bool
}

// dial connects, and has heard called from one goroutine with all that arrives.
func dial(addr string, conf *tls.Config, heard func(message)) (*conn, error) {
	t, err := tls.Dial("tcp", addr, conf)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", addr, err)
	}
	c := &conn{tls: t, names: addr, heard: heard, ended: make(chan struct{}), next: 1}
	c.framer = http2.NewFramer(t, t)
	c.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	c.hpack = hpack.NewEncoder(&c.head)
	_, err = io.WriteString(t, http2.ClientPreface)
	if err == nil {
		err = c.framer.WriteSettings(http2.Setting{ID: http2.SettingEnablePush})
	}
	if err == nil {
		err = c.framer.WriteWindowUpdate(0, maxWindow-65535)
	}
	if err != nil {
		t.Close()
		return nil, fmt.Errorf("dial %s: %w", addr, err)
	}
	go c.listen()
	return c, nil
}

// get asks for path, and returns the stream that the answer comes on.
func (c *conn) get(path string) (uint32, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.head.Reset()
	for _, f := range []hpack.HeaderField{
		{Name: ":method", Value: "GET"}, {Name: ":scheme", Value: "https"}, {Name: ":authority", Value: c.names}, {Name: ":path", Value: path},
		{Name: "accept", Value: "application/json"}, {Name: "user-agent", Value: "crowd"},
	} {
		if err := c.hpack.WriteField(f); err != nil {
			return 0, err
		}
	}
	id := c.next
	c.next += 2
	return id, c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: c.head.Bytes(), EndStream: true, EndHeaders: true})
}

// leave gives up what was asked for on a stream.
func (c *conn) leave(stream uint32) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.framer.WriteRSTStream(stream, http2.ErrCodeCancel)
}

// close breaks the connection off, and waits until nothing more is heard.
func (c *conn) close() {
	_ = c.tls.NetConn().Close()
	<-c.ended
}

// listen reads until the connection ends; that, too, is heard, as the end of stream 0.
func (c *conn) listen() {
	defer close(c.ended)
	for {
		f, err := c.framer.ReadFrame()
		if err == nil {
			err = c.take(f)
		}
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				c.heard(message{conn: c, status: err.Error(), last: true})
			}
			return
		}
	}
}

func (c *conn) take(f http2.Frame) error {
	switch f := f.(type) {
	case *http2.MetaHeadersFrame:
		m := message{conn: c, stream: f.StreamID, status: f.PseudoValue("status"), last: f.StreamEnded()}
		for _, h := range f.RegularFields() {
			if h.Name == "retry-after" {
				m.after = h.Value
			}
		}
		c.heard(m)
	case *http2.DataFrame:
		c.heard(message{conn: c, stream: f.StreamID, data: f.Data(), last: f.StreamEnded()})
	case *http2.RSTStreamFrame:
		c.heard(message{conn: c, stream: f.StreamID, status: f.ErrCode.String(), last: true})
	case *http2.GoAwayFrame:
		return fmt.Errorf("sent away: %s %s", f.ErrCode, f.DebugData())
	case *http2.PingFrame:
		c.mu.Lock()
		defer c.mu.Unlock()
		if !f.IsAck() {
			return c.framer.WritePing(true, f.Data)
		}
	case *http2.SettingsFrame:
		c.mu.Lock()
		defer c.mu.Unlock()
		if !f.IsAck() {
			return c.framer.WriteSettingsAck()
		}
	}
	return nil
}
