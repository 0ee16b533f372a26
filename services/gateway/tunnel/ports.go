package tunnel

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/streaming/pkg/httpstream/wsstream"
)

// maxPorts bounds how many ports one WebSocket may name: channels are numbered by a byte.
const maxPorts = 64

// Ports reads the ports that a client of plain WebSocket names in its query, as ?ports=80,443.
func Ports(q url.Values) ([]uint16, error) {
	var out []uint16
	for _, list := range q["ports"] {
		for _, text := range strings.Split(list, ",") {
			n, err := strconv.ParseUint(text, 10, 16)
			if err != nil || n == 0 {
				return nil, apierrors.NewBadRequest(fmt.Sprintf("ports: %q must be a number from 1 to 65535", text))
			}
			out = append(out, uint16(n))
		}
	}
	switch {
	case len(out) == 0:
		return nil, apierrors.NewBadRequest("query parameter \"ports\" is required")
	case len(out) > maxPorts:
		return nil, apierrors.NewBadRequest(fmt.Sprintf("ports: at most %d may be forwarded over one connection", maxPorts))
	}
	return out, nil
}

// channel is a port's data channel. It has no end of its own: the client's end is the
// connection's, which is no half of a conversation but all of it.
type channel struct{ io.ReadWriteCloser }

func (c channel) Read(b []byte) (int, error) {
	n, err := c.ReadWriteCloser.Read(b)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func (c channel) Reset() error { return c.Close() }

// forwardPorts carries one connection to each of the ports over a WebSocket with a channel for
// the data and one for the error of each, until all have ended.
func forwardPorts(ctx context.Context, w http.ResponseWriter, r *http.Request, ports []uint16, dial Dial) {
	var kinds []wsstream.ChannelType
	for range ports {
		kinds = append(kinds, wsstream.ReadWriteChannel, wsstream.WriteChannel)
	}
	conn := wsstream.NewConn(map[string]wsstream.ChannelProtocolConfig{
		"": {Binary: true, Channels: kinds}, v4: {Binary: true, Channels: kinds}, v4Base64: {Channels: kinds},
	})
	conn.SetIdleTimeout(idle)
	_, streams, err := conn.Open(w, r.WithContext(logr.NewContext(r.Context(), logr.Discard())))
	if err != nil {
		return // the library has answered
	}
	var running sync.WaitGroup
	defer running.Wait()
	defer func() { _ = conn.Close() }() // ends what reads and writes
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	for i, port := range ports {
		data, failure := streams[2*i], streams[2*i+1]
		first := binary.LittleEndian.AppendUint16(nil, port)
		for _, c := range []io.Writer{data, failure} {
			if _, err := c.Write(first); err != nil {
				return // the client has left
			}
		}
		running.Go(func() { connect(ctx, port, channel{data}, failure, dial) })
	}
	running.Wait()
}
