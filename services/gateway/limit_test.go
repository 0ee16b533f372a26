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

// TestTooManyWatches: beyond the limits, of one user and in all, they are told to come again,
// while other requests are answered.
func TestTooManyWatches(t *testing.T) {
	t.Parallel()
	g := startWith(t, backend{watch: func(ctx context.Context, _ *api.Request, _ func(api.WatchEvent) error) error {
		<-ctx.Done()
		return ctx.Err()
	}}, Limits{Lasting: 3, LastingOf: 2})
	ann, bob := g.client(t, g.ca, "ann", time.Hour), g.client(t, g.ca, "bob", time.Hour)
	const path = "/api/v1/namespaces/a/pods"
	watch := func(c *http.Client) (*http.Response, func()) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		r, err := http.NewRequestWithContext(ctx, "GET", "https://"+g.addr+path+"?watch=1", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := c.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(cancel)
		t.Cleanup(func() { resp.Body.Close() })
		return resp, cancel
	}
	refused := func(c *http.Client, why string) {
		t.Helper()
		resp, _ := watch(c)
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") != "5" || !strings.Contains(string(body), why) {
			t.Errorf("%s %q %s, %v", resp.Status, resp.Header.Get("Retry-After"), body, err)
		}
	}
	open := func(c *http.Client) func() {
		t.Helper()
		resp, leave := watch(c)
		if resp.StatusCode != http.StatusOK {
			t.Fatal(resp.Status)
		}
		return leave
	}
	leave := open(ann)
	open(ann)
	refused(ann, `user \"ann\" has 2 watches, logs and sessions open`)
	open(bob)
	refused(bob, "3 watches, logs and sessions are open")
	if code, body, _ := g.ask(t, ann, "GET", path, ""); code != 200 {
		t.Errorf("a list beside them: %d %s", code, body)
	}
	leave()
	for { // its place is free once the gateway has seen it leave
		resp, _ := watch(bob)
		if resp.StatusCode == http.StatusOK {
			break
		}
		if resp.StatusCode != http.StatusTooManyRequests {
			t.Fatal(resp.Status)
		}
		resp.Body.Close()
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

// TestARestingWatchStays: how long a client may take an event is not how long it may be until
// the next one, whatever HTTP's version is.
func TestARestingWatchStays(t *testing.T) {
	t.Parallel()
	const write = 200 * time.Millisecond
	g := startWith(t, backend{watch: func(ctx context.Context, _ *api.Request, emit func(api.WatchEvent) error) error {
		for _, wait := range []time.Duration{0, 3 * write, 0} {
			select {
			case <-time.After(wait):
			case <-ctx.Done():
				return ctx.Err()
			}
			if err := emit(api.WatchEvent{Type: "ADDED", Object: json.RawMessage(`{}`)}); err != nil {
				return err
			}
		}
		return nil
	}}, Limits{Write: write})
	for _, version := range []int{1, 2} {
		c := g.admin(t)
		if version == 1 {
			c.Transport.(*http.Transport).ForceAttemptHTTP2 = false
		}
		resp, err := c.Get("https://" + g.addr + "/api/v1/namespaces/a/pods?watch=1")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.ProtoMajor != version || strings.Count(string(body), "ADDED") != 3 {
			t.Errorf("HTTP/%d: %s, %v", resp.ProtoMajor, body, err)
		}
	}
}
