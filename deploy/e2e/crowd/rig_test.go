package crowd

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/bustest"
	"github.com/skerry/skerry/schemas/kinds"
	"github.com/skerry/skerry/services/apiserver"
	"github.com/skerry/skerry/services/gateway"
	"github.com/skerry/skerry/services/gateway/certificate"
)

// rig is a bus with an apiserver and a gateway, each with a connection of its own.
type rig struct {
	ca   *certificate.Authority
	addr string
}

func start(t *testing.T, limits gateway.Limits) *rig {
	t.Helper()
	ca, err := certificate.Load(filepath.Join(t.TempDir(), "pki"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b, table := bustest.Start(t), kinds.Table()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	run := func(user bus.User, f func(*bus.Conn) error) {
		conn := b.Inside(t, user)
		running.Go(func() {
			if err := f(conn); err != nil {
				t.Errorf("%s: %v", user, err)
			}
		})
	}
	run("system:apiserver", func(conn *bus.Conn) error {
		return apiserver.Run(ctx, conn, apiserver.Config{ID: "a", Table: table})
	})
	run("system:gateway", func(conn *bus.Conn) error {
		return gateway.Run(ctx, conn, gateway.Config{
			Listener: l, Certificate: ca.Server("127.0.0.1").Certificate, ClientCAs: ca.Pool(),
			Table: table, Version: "v0.0.0", Limits: limits, Log: slog.New(slog.DiscardHandler),
		})
	})
	t.Cleanup(func() { cancel(); running.Wait() })
	return &rig{ca: ca, addr: l.Addr().String()}
}

// as is how a client of that name connects.
func (r *rig) as(t *testing.T, user string) *tls.Config {
	t.Helper()
	cert, key, err := r.ca.Client(user, []string{"system:masters"}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{
		RootCAs: r.ca.Pool(), MinVersion: tls.VersionTLS12, NextProtos: []string{"h2"},
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil },
	}
}

// client is an ordinary one.
func (r *rig) client(t *testing.T, user string) *http.Client {
	t.Helper()
	tr := &http.Transport{TLSClientConfig: r.as(t, user), ForceAttemptHTTP2: true}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: time.Minute}
}

// ask makes a request, and gives see what came back.
func (r *rig) ask(t *testing.T, c *http.Client, method, path, body string, see func(http.Header, []byte)) int {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), method, "https://"+r.addr+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Content-Type", "application/json")
	resp, err := c.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if see != nil {
		see(resp.Header, b)
	}
	return resp.StatusCode
}

// create makes a ConfigMap of that name, which somebody may watch.
func (r *rig) create(t *testing.T, c *http.Client, name string) {
	t.Helper()
	if code := r.ask(t, c, "POST", configMaps, `{"metadata":{"name":"`+name+`"}}`, nil); code != http.StatusCreated {
		t.Fatalf("create %s: %d", name, code)
	}
}

func (r *rig) remove(t *testing.T, c *http.Client, name string) {
	t.Helper()
	if code := r.ask(t, c, "DELETE", configMaps+"/"+name, "", nil); code != http.StatusOK {
		t.Fatalf("delete %s: %d", name, code)
	}
}

// watch opens a watch, and returns what ends it.
func (r *rig) watch(t *testing.T, c *http.Client) (leave func()) {
	t.Helper()
	resp, err := c.Get("https://" + r.addr + watchOf("nobody"))
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("watch: %s", resp.Status)
	}
	return func() { resp.Body.Close() }
}

// refused checks that one more watch is too many, which it says so that clients come again.
func (r *rig) refused(t *testing.T, c *http.Client, why string) {
	t.Helper()
	code := r.ask(t, c, "GET", watchOf("nobody"), "", func(h http.Header, b []byte) {
		if h.Get("Retry-After") != "5" || !strings.Contains(string(b), why) {
			t.Errorf("refused: %v %s", h, b)
		}
	})
	if code != http.StatusTooManyRequests {
		t.Errorf("one more watch: %d", code)
	}
}
