package action

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// commands is an Executor.
type commands func(ctx context.Context, command []string) (int, string, error)

func (c commands) Run(ctx context.Context, _ string, command []string, limit int) (int, []byte, error) {
	code, out, err := c(ctx, command)
	return code, []byte(out)[:min(len(out), limit)], err
}

// server serves h and is a target.
func server(t *testing.T, h http.Handler, start func(*httptest.Server)) Target {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.Protocols = new(http.Protocols)
	s.EnableHTTP2 = true
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.Config.Protocols.SetHTTP1(true)
	s.Config.Protocols.SetHTTP2(true)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	start(s)
	t.Cleanup(s.Close)
	_, p, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	n, _ := strconv.Atoi(p)
	return Target{IP: "127.0.0.1", Container: &v1.Container{Ports: []v1.ContainerPort{{Name: "web", ContainerPort: int32(n)}}}}
}

func (t Target) port() intstr.IntOrString {
	return intstr.FromInt32(t.Container.Ports[0].ContainerPort)
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestHTTP(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/ok", func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "%s %s %q %q %q", r.Proto, r.Host, r.Header["User-Agent"], r.Header["Accept"], r.Header["X-Who"])
	})
	mux.HandleFunc("/bad", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	mux.HandleFunc("/near", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/ok", http.StatusFound) })
	mux.HandleFunc("/far", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://192.0.2.1/", http.StatusFound)
	})
	mux.HandleFunc("/loop", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/loop", http.StatusFound) })
	mux.HandleFunc("/query", func(w http.ResponseWriter, r *http.Request) { _, _ = fmt.Fprint(w, r.URL.RawQuery) })
	mux.HandleFunc("/big", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, strings.Repeat("x", 1<<20)) })
	mux.HandleFunc("/hang", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	plain := server(t, mux, (*httptest.Server).Start)
	secure := server(t, mux, (*httptest.Server).StartTLS)
	d := New(nil)
	http2 := v1.HTTPProtocolHTTP2
	for _, tc := range []struct {
		name   string
		target Target
		get    v1.HTTPGetAction
		want   Outcome
		says   string
	}{
		{"plain", plain, v1.HTTPGetAction{Path: "/ok"}, Success, `HTTP/1.1 127.0.0.1:`},
		{"the usual headers", plain, v1.HTTPGetAction{Path: "/ok"}, Success, `["kube-probe/1.37"] ["*/*"] []`},
		{"headers", plain, v1.HTTPGetAction{Path: "/ok", HTTPHeaders: []v1.HTTPHeader{
			{Name: "Host", Value: "example.org"}, {Name: "User-Agent", Value: "me"}, {Name: "x-who", Value: "a"}, {Name: "X-Who", Value: "b"}, {Name: "Accept", Value: ""},
		}}, Success, `HTTP/1.1 example.org ["me"] [] ["a" "b"]`},
		{"port by name", plain, v1.HTTPGetAction{Path: "/ok", Port: intstr.FromString("web")}, Success, ""},
		{"no such port", plain, v1.HTTPGetAction{Path: "/ok", Port: intstr.FromString("other")}, Unknown, `invalid port "other"`},
		{"another host", Target{IP: "192.0.2.1", Container: plain.Container}, v1.HTTPGetAction{Path: "/ok", Host: "127.0.0.1"}, Success, ""},
		{"HTTPS, not verified", secure, v1.HTTPGetAction{Path: "/ok", Scheme: v1.URISchemeHTTPS}, Success, "HTTP/1.1"},
		{"HTTP/2", plain, v1.HTTPGetAction{Path: "/ok", Protocol: &http2}, Success, "HTTP/2.0"},
		{"HTTP/2 over TLS", secure, v1.HTTPGetAction{Path: "/ok", Scheme: v1.URISchemeHTTPS, Protocol: &http2}, Success, "HTTP/2.0"},
		{"HTTP to HTTPS", secure, v1.HTTPGetAction{Path: "/ok"}, Failure, "HTTP probe failed with statuscode: 400"},
		{"bad", plain, v1.HTTPGetAction{Path: "/bad"}, Failure, "HTTP probe failed with statuscode: 503"},
		{"not there", plain, v1.HTTPGetAction{Path: "/none"}, Failure, "HTTP probe failed with statuscode: 404"},
		{"redirect to the same host", plain, v1.HTTPGetAction{Path: "/near"}, Success, ""},
		{"redirect elsewhere", plain, v1.HTTPGetAction{Path: "/far"}, Warning, "Probe terminated redirects"},
		{"redirect for ever", plain, v1.HTTPGetAction{Path: "/loop"}, Failure, "stopped after 10 redirects"},
		{"query", plain, v1.HTTPGetAction{Path: "/query?a=b"}, Success, "a=b"},
		{"a path that is none", plain, v1.HTTPGetAction{Path: "/%zz"}, Failure, "404"},
		{"nobody listens", Target{IP: "127.0.0.1"}, v1.HTTPGetAction{Path: "/", Port: intstr.FromInt32(1)}, Failure, "refused"},
	} {
		if tc.get.Port == (intstr.IntOrString{}) {
			tc.get.Port = tc.target.port()
		}
		got, says := d.Do(within(t), tc.target, Handler{HTTP: &tc.get})
		if got != tc.want || !strings.Contains(says, tc.says) {
			t.Errorf("%s: %s %q, want %s %q", tc.name, got, says, tc.want, tc.says)
		}
	}
	if _, says := d.Do(within(t), plain, Handler{HTTP: &v1.HTTPGetAction{Path: "/big", Port: plain.port()}}); len(says) != maxOutput {
		t.Errorf("read %d bytes of a big answer", len(says))
	}
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if got, says := d.Do(short, plain, Handler{HTTP: &v1.HTTPGetAction{Path: "/hang", Port: plain.port()}}); got != Failure || !strings.Contains(says, "deadline exceeded") {
		t.Errorf("a server that hangs: %s %q", got, says)
	}
	if err := d.Get(within(t), plain, &v1.HTTPGetAction{Path: "/bad", Port: plain.port()}); err != nil {
		t.Errorf("a hook takes any answer: %v", err)
	}
}

func TestTCPAndCommands(t *testing.T) {
	here := server(t, http.NotFoundHandler(), (*httptest.Server).Start)
	d := New(commands(func(ctx context.Context, command []string) (int, string, error) {
		switch command[0] {
		case "ok":
			return 0, "fine", nil
		case "fails":
			return 3, "no", nil
		case "hangs":
			<-ctx.Done()
			return 0, "", ctx.Err()
		}
		return 0, "", errors.New("nobody answers")
	}))
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	run := func(c string) Handler { return Handler{Exec: &v1.ExecAction{Command: []string{c}}} }
	for _, tc := range []struct {
		name string
		ctx  context.Context
		h    Handler
		want Outcome
		says string
	}{
		{"connects", within(t), Handler{TCP: &v1.TCPSocketAction{Port: here.port()}}, Success, ""},
		{"refused", within(t), Handler{TCP: &v1.TCPSocketAction{Port: intstr.FromInt32(1)}}, Failure, "refused"},
		{"command", within(t), run("ok"), Success, "fine"},
		{"command fails", within(t), run("fails"), Failure, "no"},
		{"command hangs", short, run("hangs"), Failure, `command timed out: ["hangs"]`},
		{"no runtime", within(t), run("x"), Unknown, "nobody answers"},
		{"nothing", within(t), Handler{}, Unknown, ""},
	} {
		if got, says := d.Do(tc.ctx, here, tc.h); got != tc.want || !strings.Contains(says, tc.says) {
			t.Errorf("%s: %s %q, want %s %q", tc.name, got, says, tc.want, tc.says)
		}
	}
	if err := d.Command(within(t), here, &v1.ExecAction{Command: []string{"fails"}}); err == nil || !strings.Contains(err.Error(), "exited with 3: no") {
		t.Errorf("hook: %v", err)
	}
}

// health is a gRPC server by hand: what it answers to a service is made from the name. The
// requests and answers are those that grpc-go sends, byte for byte.
func TestGRPC(t *testing.T) {
	frames := map[string]string{ // requests by service
		"": "AAAAAAA=", "ready": "AAAAAAcKBXJlYWR5", "down": "AAAAAAYKBGRvd24=", "lost": "AAAAAAYKBGxvc3Q=", "old": "AAAAAAUKA29sZA==", "odd": "AAAAAAUKA29kZA==",
	}
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := make([]byte, 64)
		n, _ := r.Body.Read(body)
		got := base64.StdEncoding.EncodeToString(body[:n])
		if r.URL.Path != healthPath || r.Header.Get("Te") != "trailers" || r.Header.Get("Content-Type") != "application/grpc" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Trailer", "Grpc-Status, Grpc-Message")
		answer := func(frame []byte) {
			_, _ = w.Write(frame)
			w.Header().Set("Grpc-Status", "0")
		}
		switch got {
		case frames[""], frames["ready"]:
			answer([]byte{0, 0, 0, 0, 2, 8, 1})
		case frames["down"]:
			answer([]byte{0, 0, 0, 0, 2, 8, 2})
		case frames["odd"]:
			answer([]byte{0, 0, 0, 0, 9, 8, 1})
		case frames["lost"]: // without a body: the status is in the headers
			w.Header().Del("Trailer")
			w.Header().Set("Grpc-Status", "5")
			w.Header().Set("Grpc-Message", "unknown%20service")
		case frames["old"]:
			w.Header().Del("Trailer")
			w.Header().Set("Grpc-Status", "12")
		default:
			t.Errorf("the request is %s", got)
		}
	})
	plain, secure := server(t, h, (*httptest.Server).Start), server(t, h, (*httptest.Server).StartTLS)
	tls := v1.GRPCProbeModeTLS
	d := New(nil)
	for _, tc := range []struct {
		target  Target
		service string
		mode    *v1.GRPCProbeMode
		want    Outcome
		says    string
	}{
		{plain, "", nil, Success, ""},
		{plain, "ready", nil, Success, ""},
		{secure, "ready", &tls, Success, ""},
		{plain, "down", nil, Failure, `service unhealthy (responded with "NOT_SERVING")`},
		{plain, "lost", nil, Failure, "unknown service"},
		{plain, "old", nil, Failure, "does not implement the grpc health protocol"},
		{plain, "odd", nil, Failure, "cannot be read"},
	} {
		got, says := d.Do(within(t), tc.target, Handler{GRPC: &v1.GRPCAction{Port: tc.target.port().IntVal, Service: &tc.service, Mode: tc.mode}})
		if got != tc.want || !strings.Contains(says, tc.says) {
			t.Errorf("%q: %s %q, want %s %q", tc.service, got, says, tc.want, tc.says)
		}
	}
}

func FuzzHealthResponse(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 2, 8, 1})
	f.Add([]byte{0, 0, 0, 0, 4, 0x12, 2, 1, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = healthResponse(b) // it must come back
	})
}
