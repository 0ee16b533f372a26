package tunnel

import (
	"net/http"
	"slices"

	"github.com/go-logr/logr"
	"k8s.io/streaming/pkg/httpstream/wsstream"
)

// Subprotocols of commands over WebSocket. Version 5 can end stdin alone.
const (
	v5       = "v5.channel.k8s.io"
	v4       = "v4.channel.k8s.io"
	v4Base64 = "v4.base64.channel.k8s.io"
)

// channel numbers, which are those of the bus' streams too.
const (
	stdinChannel = iota
	stdoutChannel
	stderrChannel
	errorChannel
	resizeChannel
)

func openWebSocket(w http.ResponseWriter, r *http.Request, want Streams) (*session, error) {
	read := func(is bool) wsstream.ChannelType {
		if is {
			return wsstream.ReadChannel
		}
		return wsstream.IgnoreChannel
	}
	write := func(is bool) wsstream.ChannelType {
		if is {
			return wsstream.WriteChannel
		}
		return wsstream.IgnoreChannel
	}
	channels := []wsstream.ChannelType{read(want.Stdin), write(want.Stdout), write(want.Stderr), wsstream.WriteChannel, wsstream.ReadChannel}
	protocols := map[string]wsstream.ChannelProtocolConfig{}
	for _, p := range []string{"", wsstream.ChannelWebSocketProtocol, v4, v5} {
		protocols[p] = wsstream.ChannelProtocolConfig{Binary: true, Channels: channels}
	}
	for _, p := range []string{wsstream.Base64ChannelWebSocketProtocol, v4Base64} {
		protocols[p] = wsstream.ChannelProtocolConfig{Channels: channels}
	}
	conn := wsstream.NewConn(protocols)
	conn.SetIdleTimeout(idle)
	// The library logs each end of a connection as an error.
	chosen, streams, err := conn.Open(w, r.WithContext(logr.NewContext(r.Context(), logr.Discard())))
	if err != nil {
		return nil, err
	}
	// An empty message tells the client that all is ready.
	first := errorChannel
	switch {
	case want.Stdout:
		first = stdoutChannel
	case want.Stderr:
		first = stderrChannel
	}
	_, _ = streams[first].Write(nil)
	s := &session{
		sizes: streams[resizeChannel], stdout: streams[stdoutChannel], stderr: streams[stderrChannel],
		outcome: text(streams[errorChannel]), close: func() { _ = conn.Close() },
	}
	if want.Stdin {
		s.stdin = streams[stdinChannel]
	}
	if slices.Contains([]string{v4, v4Base64, v5}, chosen) {
		s.outcome = whole(streams[errorChannel])
	}
	return s, nil
}
