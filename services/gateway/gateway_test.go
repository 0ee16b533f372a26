package gateway

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/bus/bustest"
	"github.com/skerry/skerry/schemas/kinds"
	"github.com/skerry/skerry/services/gateway/certificate"
)

// backend answers in the apiserver's place: with f, or with the request as it came.
type backend struct {
	do    func(r *api.Request) (*api.Reply, error)
	watch func(ctx context.Context, r *api.Request, emit func(api.WatchEvent) error) error
}

func (b backend) Do(_ context.Context, r *api.Request) (*api.Reply, error) {
	if b.do != nil {
		return b.do(r)
	}
	if r.Resource.Plural == "tokenreviews" {
		if !strings.Contains(string(r.Body), `"token":"good"`) || r.User != "system:gateway" || r.As != nil {
			return &api.Reply{Body: []byte(`{"status":{"authenticated":false,"error":"no"}}`), Created: true}, nil
		}
		return &api.Reply{Created: true, Body: []byte(
			`{"status":{"authenticated":true,"user":{"username":"system:serviceaccount:a:b","groups":["system:serviceaccounts","system:authenticated"]}}}`)}, nil
	}
	body := fmt.Sprintf(`{"kind":"Echo","verb":%q,"resource":%q,"namespace":%q,"name":%q,"sub":%q,"user":%q,"as":%q,"groups":%q}`,
		r.Verb, r.Resource, r.Namespace, r.Name, r.Subresource, r.User, r.As.User, strings.Join(r.As.Groups, ","))
	return &api.Reply{Body: []byte(body)}, nil
}

func (b backend) Watch(_ context.Context, r *api.Request) (api.Source, error) {
	return api.Events(func(ctx context.Context, emit func(api.WatchEvent) error) error { return b.watch(ctx, r, emit) }), nil
}

// rig is a gateway before a backend.
type rig struct {
	ca   *certificate.Authority
	addr string
	bus  *bustest.Bus
	stop func()
}

func start(t *testing.T, b api.Server) *rig { return startWith(t, b, Limits{}) }

func startWith(t *testing.T, b api.Server, limits Limits, more ...func(*Config, *certificate.Authority)) *rig {
	t.Helper()
	ca, err := certificate.Load(filepath.Join(t.TempDir(), "pki"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	bus := bustest.Start(t)
	conn, own := bus.Conn(t, "system:apiserver"), bus.Conn(t, "system:gateway")
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := api.Serve(ctx, conn, "apiserver", "0.0.0", 8, b); err != nil {
			t.Error(err)
		}
	})
	running.Go(func() {
		c := Config{
			Listener: l, Certificate: ca.Server("127.0.0.1").Certificate, ClientCAs: ca.Pool(),
			Table: kinds.Table(), Version: "v1.2.3", Limits: limits, Log: slog.New(slog.DiscardHandler),
		}
		for _, change := range more {
			change(&c, ca)
		}
		err := Run(ctx, own, c)
		if err != nil {
			t.Error(err)
		}
	})
	stop := sync.OnceFunc(func() { cancel(); running.Wait() })
	t.Cleanup(stop)
	return &rig{ca: ca, addr: l.Addr().String(), bus: bus, stop: stop}
}

// client returns an HTTP client with ca's certificate of user; "" has none.
func (g *rig) client(t *testing.T, ca *certificate.Authority, user string, life time.Duration, groups ...string) *http.Client {
	t.Helper()
	conf := &tls.Config{RootCAs: g.ca.Pool(), MinVersion: tls.VersionTLS12}
	if user != "" {
		cert, key, err := ca.Client(user, groups, life)
		if err != nil {
			t.Fatal(err)
		}
		pair, err := tls.X509KeyPair(cert, key)
		if err != nil {
			t.Fatal(err)
		}
		// Whatever authorities the server names.
		conf.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	tr := &http.Transport{TLSClientConfig: conf, ForceAttemptHTTP2: true, DisableCompression: true}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 20 * time.Second}
}

func (g *rig) admin(t *testing.T) *http.Client {
	return g.client(t, g.ca, "admin", time.Hour, "system:masters")
}

func (g *rig) ask(t *testing.T, c *http.Client, method, path, body string, header ...string) (int, string, http.Header) {
	t.Helper()
	r, err := http.NewRequest(method, "https://"+g.addr+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	resp, err := c.Do(r)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return resp.StatusCode, string(b), resp.Header
}

// TestWhoAsks: the user of the certificate is whom the apiserver hears of, and what does
// not hold is nobody's.
func TestWhoAsks(t *testing.T) {
	t.Parallel()
	g := start(t, backend{})
	other, err := certificate.Load(filepath.Join(t.TempDir(), "other"))
	if err != nil {
		t.Fatal(err)
	}
	const pods = "/api/v1/namespaces/default/pods"
	tests := []struct {
		name   string
		client *http.Client
		header []string
		code   int
		has    string
	}{
		{"admin", g.admin(t), nil, 200, `"user":"system:gateway","as":"admin","groups":"system:masters,system:authenticated"`},
		{"no groups", g.client(t, g.ca, "ann", time.Hour), nil, 200, `"as":"ann","groups":"system:authenticated"`},
		{"nobody", g.client(t, nil, "", 0), nil, 200, `"as":"system:anonymous","groups":"system:unauthenticated"`},
		{"foreign", g.client(t, other, "admin", time.Hour, "system:masters"), nil, 401, `Unauthorized`},
		{"expired", g.client(t, g.ca, "admin", -time.Minute, "system:masters"), nil, 401, `Unauthorized`},
		{"token", g.client(t, nil, "", 0), []string{"Authorization", "Bearer xyz"}, 401, `Unauthorized`},
		{"good token", g.client(t, nil, "", 0), []string{"Authorization", "Bearer good"}, 200, `"as":"system:serviceaccount:a:b","groups":"system:serviceaccounts,system:authenticated"`},
		{"empty token", g.client(t, nil, "", 0), []string{"Authorization", "Bearer "}, 401, `Unauthorized`},
		{"basic", g.client(t, nil, "", 0), []string{"Authorization", "Basic YWRtaW46YWRtaW4="}, 401, `Unauthorized`},
		{"groups alone", g.admin(t), []string{"Impersonate-Group", "g"}, 400, `without impersonating a user`},
		{"two users", g.admin(t), []string{"Impersonate-User", "a", "Impersonate-User", "b"}, 400, `one user`},
		{"remote user", g.client(t, g.ca, "ann", time.Hour), []string{"X-Remote-User", "admin", "X-Remote-Group", "system:masters"}, 200, `"as":"ann"`},
	}
	for _, tt := range tests {
		for range 2 { // the second time from what is remembered
			code, body, _ := g.ask(t, tt.client, "GET", pods, "", tt.header...)
			if code != tt.code || !strings.Contains(body, tt.has) {
				t.Errorf("%s: %d %s", tt.name, code, body)
			}
		}
	}
	for path, want := range map[string]int{"/healthz": 200, "/livez/ping": 200, "/readyz?verbose": 200, "/version": 200, "/api": 403, "/apis": 403, "/openapi/v3": 403, "/": 403} {
		if code, body, _ := g.ask(t, g.client(t, nil, "", 0), "GET", path, ""); code != want {
			t.Errorf("anonymous %s: %d %s", path, code, body)
		}
	}
}

// TestVerbs: what each method and path becomes on the bus.
func TestVerbs(t *testing.T) {
	t.Parallel()
	g := start(t, backend{})
	c := g.admin(t)
	const ns, body = "/api/v1/namespaces/a", `{"kind":"Pod"}`
	tests := []struct {
		method, path, body string
		code               int
		has                string
	}{
		{"GET", ns + "/pods", "", 200, `"verb":"list","resource":"pods","namespace":"a"`},
		{"GET", "/api/v1/pods", "", 200, `"verb":"list","resource":"pods","namespace":""`},
		{"GET", ns + "/pods/p", "", 200, `"verb":"get","resource":"pods","namespace":"a","name":"p"`},
		{"GET", ns + "/pods/p/status", "", 200, `"sub":"status"`},
		{"POST", ns + "/pods", body, 200, `"verb":"create"`},
		{"POST", ns + "/pods/p", body, 405, `MethodNotAllowed`},
		{"POST", ns + "/pods/p/eviction", body, 200, `"verb":"create","resource":"pods","namespace":"a","name":"p","sub":"eviction"`},
		{"PUT", ns + "/pods/p", body, 200, `"verb":"update"`},
		{"PUT", ns + "/pods", body, 405, `MethodNotAllowed`},
		{"DELETE", ns + "/pods/p", "", 200, `"verb":"delete"`},
		{"DELETE", ns + "/pods", "", 200, `"verb":"deletecollection"`},
		{"GET", "/apis/apps/v1/namespaces/a/deployments/d/scale", "", 200, `"resource":"deployments.apps"`},
		{"GET", "/apis/apps/v2/deployments", "", 404, `NotFound`},
		{"GET", "/apis/none/v1/things", "", 404, `NotFound`},
		{"GET", "/api/v1/things", "", 404, `NotFound`},
		{"GET", ns + "/nodes", "", 404, `NotFound`},
		{"GET", "/api/v1/pods/p", "", 404, `NotFound`},
		{"PATCH", ns + "/pods/p", body, 415, `application/merge-patch+json`},
		{"BREW", ns + "/pods", "", 405, `MethodNotAllowed`},
		{"POST", ns + "/pods", "", 400, `has no body`},
		{"POST", ns + "/pods?dryRun=Some", body, 400, `dryRun`},
		{"POST", ns + "/pods?fieldValidation=Some", body, 400, `fieldValidation`},
		{"GET", ns + "/pods?limit=x", "", 400, `parsing`},
		{"POST", ns + "/pods", strings.Repeat("x", 4<<20), 413, `RequestEntityTooLarge`},
	}
	for _, tt := range tests {
		code, got, _ := g.ask(t, c, tt.method, tt.path, tt.body, "Content-Type", "application/json")
		if code != tt.code || !strings.Contains(got, tt.has) {
			t.Errorf("%s %s: %d %s", tt.method, tt.path, code, got)
		}
	}
}

// raw sends bytes over TLS and returns the first line that comes back.
func (g *rig) raw(t *testing.T, text string) string {
	t.Helper()
	c, err := tls.Dial("tcp", g.addr, &tls.Config{RootCAs: g.ca.Pool(), NextProtos: []string{"http/1.1"}, MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil && err != io.EOF {
		return err.Error()
	}
	return strings.TrimSpace(line)
}

// TestMalformed: what is no proper HTTP, or could be read in two ways.
func TestMalformed(t *testing.T) {
	t.Parallel()
	g := start(t, backend{})
	for text, want := range map[string]string{
		"GARBAGE\r\n\r\n": "400",
		"GET /api/v1/pods HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n": "",
		"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx":                     "400",
		"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\nx":                                          "400",
		"GET /healthz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, gzip\r\n\r\n":                             "501",
		"GET /healthz HTTP/1.1\r\nHost: x\r\nBad Header: 1\r\n\r\n":                                                "400",
		"GET /healthz HTTP/1.1\r\n\r\n":                                                                            "400",
		"GET /healthz HTTP/9.1\r\nHost: x\r\n\r\n":                                                                 "505",
		"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("a", 200<<10) + "\r\n\r\n":                      "431",
		"GET /api/v1/namespaces/../../version HTTP/1.1\r\nHost: x\r\n\r\n":                                         "404",
		"GET /api/v1/namespaces/%2e%2e/pods HTTP/1.1\r\nHost: x\r\n\r\n":                                           "404",
		"GET //version HTTP/1.1\r\nHost: x\r\n\r\n":                                                                "404",
		"GET /healthz/%2e%2e/version HTTP/1.1\r\nHost: x\r\n\r\n":                                                  "404",
		"GET http://elsewhere/healthz HTTP/1.1\r\nHost: x\r\n\r\n":                                                 "200",
	} {
		got := g.raw(t, text)
		if want != "" && !strings.Contains(got, " "+want) {
			t.Errorf("%.60q: %s, want %s", text, got, want)
		}
	}
}

// TestOldTLS: nothing below 1.2, and plain HTTP is told so.
func TestOldTLS(t *testing.T) {
	t.Parallel()
	g := start(t, backend{})
	for version, ok := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		c, err := tls.Dial("tcp", g.addr, &tls.Config{RootCAs: g.ca.Pool(), MinVersion: version, MaxVersion: version})
		if (err == nil) != ok {
			t.Errorf("TLS %x: %v", version, err)
		}
		if err == nil {
			c.Close()
		}
	}
	resp, err := http.Get("http://" + g.addr + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("plain HTTP: %s", resp.Status)
	}
}
