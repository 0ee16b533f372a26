package gateway

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/bus/remote"
	"github.com/skerry/skerry/bus/stream"
	"github.com/skerry/skerry/schemas"
)

// program is what runs in the pod: it says what it was asked.
func program(began, left chan<- struct{}) http.Handler {
	mux := http.NewServeMux()
	say := func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.Header().Set("Cache-Control", "max-age=60")
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprintf(w, "%s %s %s %d\n", r.Method, r.URL.EscapedPath(), r.URL.RawQuery, len(body))
		for _, h := range []string{"Authorization", "Impersonate-User", "Proxy-Authorization", "X-Mine", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Uri"} {
			fmt.Fprintf(w, "%s=%s\n", h, strings.Join(r.Header[h], ","))
		}
	}
	mux.HandleFunc("/move", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "/there/")
		w.WriteHeader(http.StatusFound)
	})
	mux.HandleFunc("/page", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, `<a href="/there">there</a>`)
	})
	mux.HandleFunc("/pages", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		piece := bytes.Repeat([]byte("x"), 1<<20)
		for range 2 * maxPage >> 20 {
			if _, err := w.Write(piece); err != nil {
				return
			}
		}
	})
	mux.HandleFunc("/last", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "first\n")
		_ = http.NewResponseController(w).Flush()
		began <- struct{}{}
		<-r.Context().Done()
		left <- struct{}{}
	})
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		c, err := (&websocket.Upgrader{Subprotocols: []string{"mine"}}).Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer func() { c.Close(); left <- struct{}{} }()
		for {
			kind, m, err := c.ReadMessage()
			if err != nil || c.WriteMessage(kind, bytes.ToUpper(m)) != nil {
				return
			}
		}
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/say/") { // a mux would tidy the path
			say(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// withProgram is a gateway before a pod whose port 8080 is HTTP and 8443 is HTTPS.
func withProgram(t *testing.T, asked func(*api.Request)) (g *rig, began, left chan struct{}) {
	t.Helper()
	began, left = make(chan struct{}, 8), make(chan struct{}, 8)
	plain, secure := httptest.NewServer(program(began, left)), httptest.NewTLSServer(program(began, left))
	t.Cleanup(plain.Close)
	t.Cleanup(secure.Close)
	g = start(t, backend{do: func(r *api.Request) (*api.Reply, error) {
		asked(r)
		switch {
		case r.As.User == "ann":
			return nil, apierrors.NewForbidden(corev1.Resource("pods"), string(r.Name), errors.New("not ann"))
		case r.Resource == schemas.Services && r.Name == "empty":
			return nil, apierrors.NewServiceUnavailable(`no endpoints available for service "empty"`)
		case r.Resource == schemas.Services:
			b := `{"port":8080,"pod":{"metadata":{"name":"p","namespace":"a","uid":"u"},"status":{"podIP":"10.0.0.9"},"spec":{"nodeName":"n1"}}}`
			if strings.HasPrefix(string(r.Name), "https:") {
				b = strings.Replace(b, `"port":8080`, `"scheme":"https","port":8443`, 1)
			}
			return &api.Reply{Body: []byte(b)}, nil
		case r.Name == "homeless":
			return &api.Reply{Body: []byte(`{"metadata":{"name":"homeless"},"spec":{}}`)}, nil
		}
		return &api.Reply{Body: []byte(`{"metadata":{"name":"p","namespace":"a","uid":"u"},"status":{"podIP":"10.0.0.9"},
			"spec":{"nodeName":"n1","containers":[{"name":"side"},{"name":"c","ports":[{"containerPort":8080}]}]}}`)}, nil
	}})
	g.agent(t, remote.VerbForward, func(ctx context.Context, _ bus.User, hello []byte, accept func() (*stream.Stream, error)) error {
		ask, err := remote.Parse[remote.Forward](hello)
		if err != nil {
			return err
		}
		at := map[uint16]*httptest.Server{8080: plain, 8443: secure}[ask.Port]
		if at == nil || ask.Name != "p" || ask.UID != "u" {
			return apierrors.NewInternalError(errors.New("connection refused"))
		}
		c, err := net.Dial("tcp", at.Listener.Addr().String())
		if err != nil {
			return err
		}
		defer c.Close()
		st, err := accept()
		if err != nil {
			return err
		}
		return remote.Join(ctx, st, c)
	})
	return g, began, left
}

// TestProxy: requests reach the pod's program and its answers the client, without what is
// between the client and the gateway only.
func TestProxy(t *testing.T) {
	t.Parallel()
	verbs := map[string]bool{}
	g, _, _ := withProgram(t, func(r *api.Request) {
		verbs[fmt.Sprintf("%s %s %s %s %t", r.Verb, r.Name, r.Subresource, r.Resource, r.Verbless)] = true
	})
	c := g.admin(t)
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	const at = "/api/v1/namespaces/a/pods/"
	long := strings.Repeat("x", 4<<20) // more than any object may have
	mine := []string{"Impersonate-User", "bob", "X-Mine", "1", "Proxy-Authorization", "Basic x", "X-Forwarded-For", "1.2.3.4", "Authorization", "Bearer good"}
	for _, tt := range []struct {
		method, path, body string
		code               int
		has                string
	}{
		{"GET", "p/proxy/say/a%2Fb//c/?x=1&y=%zz", "", 418, "GET /say/a%2Fb//c/ x=1&y=%zz 0\n"},
		{"POST", "p:8080/proxy/say/", long, 418, "POST /say/  4194304\n"},
		{"PUT", "https:p:8443/proxy/say/x", "abc", 418, "PUT /say/x  3\n"},
		{"PATCH", "http:p:8080/proxy/say/x", "abc", 418, "PATCH /say/x  3\n"},
		{"DELETE", "p:8080/proxy/say/x", "", 418, "DELETE /say/x  0\n"},
		{"OPTIONS", "p:8080/proxy/say/x", "", 418, "OPTIONS /say/x  0\n"},
		{"GET", "p:8080/proxy/say/x", "", 418, "Authorization=\nImpersonate-User=\nProxy-Authorization=\nX-Mine=1\nX-Forwarded-For=1.2.3.4, 127.0.0.1\nX-Forwarded-Proto=https\n" +
			"X-Forwarded-Uri=/api/v1/namespaces/a/pods/p:8080/proxy/say/x\n"},
		{"GET", "p:8080/proxy/page", "", 200, `<a href="/api/v1/namespaces/a/pods/p:8080/proxy/there">`},
		{"GET", "p:8080/proxy/nothing", "", 404, "404 page not found"},
		{"GET", "p:8080/proxy/pages", "", 500, "too long"},
		{"GET", "p:81/proxy/", "", 503, "error trying to reach service: "},
		{"GET", "p:http/proxy/", "", 400, "must be a number"},
		{"GET", "p:0/proxy/", "", 400, "must be a number"},
		{"GET", "ftp:p:80/proxy/", "", 400, "invalid pod request"},
		{"GET", "a:b:c:d/proxy/", "", 400, "invalid pod request"},
		{"GET", "homeless/proxy/", "", 400, "does not have a host"},
		{"GET", "p/proxy/x/%2e%2e/y", "", 404, "NotFound"},
		{"TRACE", "p/proxy/", "", 405, "MethodNotAllowed"},
	} {
		var header []string
		if strings.Contains(tt.has, "X-Mine") {
			header = mine
		}
		code, got, h := g.ask(t, c, tt.method, at+tt.path, tt.body, header...)
		if code != tt.code || !strings.Contains(got, tt.has) {
			t.Errorf("%s %s: %d %.300s", tt.method, tt.path, code, got)
		}
		if code == 418 && (h.Get("Cache-Control") != "max-age=60" || h.Get("Access-Control-Allow-Origin") != "") {
			t.Errorf("%s %s: %v", tt.method, tt.path, h)
		}
	}
	if code, _, h := g.ask(t, c, "GET", at+"p/proxy?x=1", ""); code != 301 || h.Get("Location") != at+"p/proxy/?x=1" {
		t.Errorf("without a path: %d %v", code, h)
	}
	if code, _, h := g.ask(t, c, "GET", at+"p/proxy/move", ""); code != 302 || h.Get("Location") != at+"p/proxy/there/" {
		t.Errorf("moved: %d %v", code, h)
	}
	const services = "/api/v1/namespaces/a/services/"
	for _, tt := range []struct {
		method, path string
		code         int
		has          string
	}{
		{"GET", "web/proxy/say/x?y=1", 418, "GET /say/x y=1 0\n"}, {"POST", "web:http/proxy/say/", 418, "POST /say/"},
		{"GET", "https:web:443/proxy/say/x", 418, "GET /say/x  0\n"},
		{"GET", "web:80/proxy/page", 200, `<a href="/api/v1/namespaces/a/services/web:80/proxy/there">`},
		{"GET", "empty/proxy/", 503, "no endpoints available for service"},
	} {
		if code, got, _ := g.ask(t, c, tt.method, services+tt.path, ""); code != tt.code || !strings.Contains(got, tt.has) {
			t.Errorf("%s services %s: %d %.300s", tt.method, tt.path, code, got)
		}
	}
	if code, _, h := g.ask(t, c, "GET", services+"web/proxy", ""); code != 301 || h.Get("Location") != services+"web/proxy/" {
		t.Errorf("a service without a path: %d %v", code, h)
	}
	if code, body, _ := g.ask(t, g.client(t, g.ca, "ann", time.Hour), "GET", at+"p/proxy/say/", ""); code != 403 {
		t.Errorf("ann: %d %s", code, body)
	}
	for _, want := range []string{
		"get p proxy pods false", "create p:8080 proxy pods false", "update https:p:8443 proxy pods false", "patch http:p:8080 proxy pods false",
		"delete p:8080 proxy pods false", "get p:8080 proxy pods true", "create web:http proxy services false",
	} {
		if !verbs[want] {
			t.Errorf("nobody asked for %q", want)
		}
	}
}

// TestProxyStreams: what comes is passed on at once, WebSockets too; who leaves ends it on the
// other side, and so does a gateway that stops.
func TestProxyStreams(t *testing.T) {
	t.Parallel()
	g, began, left := withProgram(t, func(*api.Request) {})
	get := func(ctx context.Context) *http.Response {
		r, err := http.NewRequestWithContext(ctx, "GET", "https://"+g.addr+"/api/v1/namespaces/a/pods/p/proxy/last", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := g.admin(t).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { resp.Body.Close() })
		if line, err := bufio.NewReader(resp.Body).ReadString('\n'); err != nil || line != "first\n" {
			t.Fatalf("%q, %v", line, err)
		}
		<-began
		return resp
	}
	ctx, leave := context.WithCancel(t.Context())
	get(ctx)
	leave()
	<-left
	u, err := url.Parse("https://" + g.addr + "/api/v1/namespaces/a/pods/https:p:8443/proxy/echo")
	if err != nil {
		t.Fatal(err)
	}
	open := func() *websocket.Conn {
		c, _, err := dialWebSocket(t, g.config(t, "admin", "system:masters"), u, "mine")
		if err != nil {
			t.Fatal(err)
		}
		if c.Subprotocol() != "mine" {
			t.Errorf("subprotocol %q", c.Subprotocol())
		}
		for _, text := range []string{"hello", strings.Repeat("again ", 50_000)} {
			if err := c.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
				t.Fatal(err)
			}
			if _, m, err := c.ReadMessage(); err != nil || string(m) != strings.ToUpper(text) {
				t.Fatalf("%.20q, %v", m, err)
			}
		}
		return c
	}
	open().Close()
	<-left
	open()
	get(t.Context())
	g.stop()
	<-left
	<-left
}
