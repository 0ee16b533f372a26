package gateway

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/remote"
	"github.com/skerry/skerry/bus/stream"
)

// shout sends text, ends its direction, and returns what comes back.
func shout(port uint16, text string) (string, error) {
	c, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(int(port))), 10*time.Second)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(c, text); err != nil {
		return "", err
	}
	if tcp, ok := c.(*net.TCPConn); ok {
		if err := tcp.CloseWrite(); err != nil {
			return "", err
		}
	}
	b, err := io.ReadAll(c)
	return string(b), err
}

// ports is an agent's side: port 80 answers in upper case once the client has ended, port 90
// says each piece at once, and every other port is closed.
func ports(left chan<- struct{}) stream.Handler {
	return func(ctx context.Context, _ bus.User, hello []byte, accept func() (*stream.Stream, error)) error {
		ask, err := remote.Parse[remote.Forward](hello)
		if err != nil {
			return err
		}
		if ask.Port != 80 && ask.Port != 90 {
			return apierrors.NewBadRequest("connection refused")
		}
		st, err := accept()
		if err != nil {
			return err
		}
		defer func() { left <- struct{}{} }()
		var all []byte
		for {
			f, err := st.Recv(ctx)
			if errors.Is(err, io.EOF) {
				return st.Send(ctx, stream.Frame{Channel: remote.Stdout, Data: bytes.ToUpper(all)})
			}
			if err != nil {
				return err
			}
			if ask.Port == 90 {
				err = st.Send(ctx, stream.Frame{Channel: remote.Stdout, Data: bytes.ToUpper(f.Data)})
			} else {
				all = append(all, f.Data...)
			}
			if err != nil {
				return err
			}
		}
	}
}

func (g *rig) forwardURL(t *testing.T, query string) *url.URL {
	t.Helper()
	u, err := url.Parse("https://" + g.addr + "/api/v1/namespaces/a/pods/p/portforward" + query)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// TestForward: a port of the pod answers, and a closed one says so; over SPDY, and over SPDY
// within a WebSocket, which is what kubectl tries first.
func TestForward(t *testing.T) {
	t.Parallel()
	g := start(t, placed())
	g.agent(t, remote.VerbForward, ports(make(chan struct{}, 16)))
	conf := g.config(t, "admin", "system:masters")
	for name, dialer := range map[string]func() (httpstream.Dialer, error){
		"spdy": func() (httpstream.Dialer, error) {
			transport, upgrader, err := spdy.RoundTripperFor(conf)
			if err != nil {
				return nil, err
			}
			return spdy.NewDialer(upgrader, &http.Client{Transport: transport}, "POST", g.forwardURL(t, "")), nil
		},
		"websocket": func() (httpstream.Dialer, error) {
			return portforward.NewSPDYOverWebsocketDialer(g.forwardURL(t, ""), conf)
		},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := dialer()
			if err != nil {
				t.Fatal(err)
			}
			forwards(t, d)
		})
	}
}

// forwards forwards ports as kubectl does.
func forwards(t *testing.T, d httpstream.Dialer) {
	t.Helper()
	stop, ready := make(chan struct{}), make(chan struct{})
	f, err := portforward.NewOnAddresses(d, []string{"127.0.0.1"}, []string{"0:80", "0:81"}, stop, ready, io.Discard, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- f.ForwardPorts() }()
	select {
	case <-ready:
	case err := <-done:
		t.Fatal(err)
	}
	at, err := f.GetPorts()
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("hello ", 50_000)
	for _, text := range []string{"hello", long, "again"} {
		if got, err := shout(at[0].Local, text); err != nil || got != strings.ToUpper(text) {
			t.Errorf("%.10q: got %d bytes of %d, %v", text, len(got), len(text), err)
		}
	}
	// client-go's own way with a port that refuses: it gives up the whole connection.
	if got, _ := shout(at[1].Local, "hello"); got != "" {
		t.Errorf("a closed port answers %q", got)
	}
	if err := <-done; !errors.Is(err, portforward.ErrLostConnectionToPod) {
		t.Error(err)
	}
}

// dialWebSocket opens a WebSocket as the user.
func dialWebSocket(t *testing.T, conf *rest.Config, u *url.URL, protocols ...string) (*websocket.Conn, *http.Response, error) {
	t.Helper()
	tlsConf, err := rest.TLSConfigFor(conf)
	if err != nil {
		t.Fatal(err)
	}
	d := websocket.Dialer{TLSClientConfig: tlsConf, HandshakeTimeout: 20 * time.Second, Subprotocols: protocols}
	tlsConf.NextProtos, tlsConf.MinVersion = []string{"http/1.1"}, tls.VersionTLS12
	at := *u
	at.Scheme = "wss"
	c, resp, err := d.DialContext(t.Context(), at.String(), nil)
	if err != nil {
		return nil, resp, err
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c, resp, nil
}

// TestForwardChannels: clients that know plain WebSocket name their ports beforehand and get
// two channels for each.
func TestForwardChannels(t *testing.T) {
	t.Parallel()
	g := start(t, placed())
	left := make(chan struct{}, 16)
	g.agent(t, remote.VerbForward, ports(left))
	c, _, err := dialWebSocket(t, g.config(t, "admin", "system:masters"), g.forwardURL(t, "?ports=90,81"), "v4.channel.k8s.io")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.WriteMessage(websocket.BinaryMessage, []byte("\x00hello")); err != nil {
		t.Fatal(err)
	}
	got := map[byte]string{}
	for got[0] != "Z\x00HELLO" || !strings.Contains(got[3], "connection refused") {
		_, m, err := c.ReadMessage()
		if err != nil {
			t.Fatalf("%v, after %q", err, got)
		}
		got[m[0]] += string(m[1:])
	}
	if got[1] != "Z\x00" || got[2] != "Q\x00" || !strings.HasPrefix(got[3], "Q\x00") {
		t.Errorf("got %q", got)
	}
	c.Close()
	<-left
}

// TestForwardRefused: what cannot be upgraded gets a status, so that clients try something else.
func TestForwardRefused(t *testing.T) {
	t.Parallel()
	g := start(t, placed())
	admin, ann := g.config(t, "admin", "system:masters"), g.config(t, "ann")
	for _, tt := range []struct {
		conf      *rest.Config
		query     string
		protocols []string
		code      int
	}{
		{admin, "", []string{"SPDY/3.1+other.k8s.io"}, 400},
		{admin, "", []string{"v4.channel.k8s.io"}, 400},
		{admin, "?ports=0", []string{"v4.channel.k8s.io"}, 400},
		{admin, "?ports=80,x", []string{"v4.channel.k8s.io"}, 400},
		{admin, "?ports=" + strings.Repeat("1,", 100) + "1", []string{"v4.channel.k8s.io"}, 400},
		{ann, "", []string{"SPDY/3.1+portforward.k8s.io"}, 403},
	} {
		_, resp, err := dialWebSocket(t, tt.conf, g.forwardURL(t, tt.query), tt.protocols...)
		if err == nil || resp == nil || resp.StatusCode != tt.code {
			t.Errorf("%s %s: %v, %v", tt.query, tt.protocols, resp, err)
		}
	}
}

// TestForwardEnds: a client that leaves ends its connections, and a stopping gateway leaves
// its clients.
func TestForwardEnds(t *testing.T) {
	t.Parallel()
	g := start(t, placed())
	left := make(chan struct{}, 16)
	g.agent(t, remote.VerbForward, ports(left))
	open := func() httpstream.Connection {
		d, err := portforward.NewSPDYOverWebsocketDialer(g.forwardURL(t, ""), g.config(t, "admin", "system:masters"))
		if err != nil {
			t.Fatal(err)
		}
		conn, protocol, err := d.Dial("portforward.k8s.io")
		if err != nil || protocol != "portforward.k8s.io" {
			t.Fatalf("%q, %v", protocol, err)
		}
		h := http.Header{"Streamtype": {"error"}, "Port": {"90"}, "Requestid": {"1"}}
		if _, err := conn.CreateStream(h); err != nil {
			t.Fatal(err)
		}
		h.Set("Streamtype", "data")
		data, err := conn.CreateStream(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(data, "hello"); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 5)
		if _, err := io.ReadFull(data, b); err != nil || string(b) != "HELLO" {
			t.Fatalf("%q, %v", b, err)
		}
		return conn
	}
	open().Close()
	<-left
	conn := open()
	defer conn.Close()
	g.stop()
	<-left
	<-conn.CloseChan()
}
