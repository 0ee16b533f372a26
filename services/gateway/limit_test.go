package gateway

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skerry/skerry/bus/api"
)

// dial opens a TLS connection that speaks HTTP/1.1.
func (g *rig) dial(t *testing.T) *tls.Conn {
	t.Helper()
	c, err := tls.Dial("tcp", g.addr, &tls.Config{RootCAs: g.ca.Pool(), NextProtos: []string{"http/1.1"}, MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestSlowClients: who says nothing, or too little, is not waited for.
func TestSlowClients(t *testing.T) {
	t.Parallel()
	g := startWith(t, backend{}, Limits{Header: 300 * time.Millisecond, Body: 300 * time.Millisecond})
	for name, text := range map[string]string{
		"nothing":       "",
		"half a header": "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ",
	} {
		c := g.dial(t)
		if _, err := io.WriteString(c, text); err != nil {
			t.Fatal(err)
		}
		// Whatever it says, it ends.
		if _, err := io.ReadAll(c); err != nil && strings.Contains(err.Error(), "i/o timeout") {
			t.Errorf("%s: the connection stays open", name)
		}
	}
	body, feed := io.Pipe()
	defer feed.Close()
	r, err := http.NewRequest("POST", "https://"+g.addr+"/api/v1/namespaces/a/pods", body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	go func() { _, _ = io.WriteString(feed, `{"kind":`) }()
	resp, err := g.admin(t).Do(r)
	if err == nil {
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest {
			t.Errorf("half a body: %s", resp.Status)
		}
	}
}

// TestTooManyRequests: beyond the limit they are told to come again; afterwards all is well.
func TestTooManyRequests(t *testing.T) {
	t.Parallel()
	began, finish := make(chan struct{}), make(chan struct{})
	g := startWith(t, backend{do: func(*api.Request) (*api.Reply, error) {
		began <- struct{}{}
		<-finish
		return &api.Reply{Body: []byte(`{}`)}, nil
	}}, Limits{Requests: 1, Lasting: 1})
	c := g.admin(t)
	const path = "/api/v1/namespaces/a/pods"
	var running sync.WaitGroup
	running.Go(func() {
		if code, body, _ := g.ask(t, c, "GET", path, ""); code != 200 {
			t.Errorf("the first: %d %s", code, body)
		}
	})
	<-began
	code, body, header := g.ask(t, c, "GET", path, "")
	if code != http.StatusTooManyRequests || header.Get("Retry-After") != "1" {
		t.Errorf("the second: %d %s", code, body)
	}
	close(finish)
	running.Wait()
	go func() { <-began }()
	if code, body, _ := g.ask(t, c, "GET", path, ""); code != 200 {
		t.Errorf("afterwards: %d %s", code, body)
	}
}

// TestConnectionsAreBounded: one more waits until another has left.
func TestConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	g := startWith(t, backend{}, Limits{Conns: 2})
	first, _ := g.dial(t), g.dial(t)
	answered := make(chan int, 1)
	go func() {
		code, _, _ := g.ask(t, g.client(t, nil, "", 0), "GET", "/healthz", "")
		answered <- code
	}()
	select {
	case <-answered:
		t.Error("a third connection was served")
	case <-time.After(200 * time.Millisecond):
	}
	first.Close()
	if code := <-answered; code != 200 {
		t.Errorf("the third: %d", code)
	}
}

// TestADeafWatcherIsLeft: who takes nothing of a watch holds nothing for long.
func TestADeafWatcherIsLeft(t *testing.T) {
	t.Parallel()
	left := make(chan error, 1)
	big := fmt.Sprintf(`{"metadata":{"name":"p"},"data":%q}`, strings.Repeat("x", 100_000))
	g := startWith(t, backend{watch: func(_ context.Context, _ *api.Request, emit func(api.WatchEvent) error) error {
		for {
			if err := emit(api.WatchEvent{Type: "ADDED", Object: json.RawMessage(big)}); err != nil {
				left <- err
				return err
			}
		}
	}}, Limits{Write: 300 * time.Millisecond})
	c := g.dial(t)
	if _, err := io.WriteString(c, "GET /api/v1/namespaces/a/pods?watch=1 HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	select {
	case <-left:
	case <-time.After(20 * time.Second):
		t.Error("the watch goes on")
	}
}
