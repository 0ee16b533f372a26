package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/remotecommand"
	utilexec "k8s.io/client-go/util/exec"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/bus/remote"
	"github.com/skerry/skerry/bus/stream"
)

// placed answers with a pod on node n1, but refuses the user "ann".
func placed() backend {
	return backend{do: func(r *api.Request) (*api.Reply, error) {
		if r.As.User == "ann" {
			return nil, apierrors.NewForbidden(corev1.Resource("pods"), string(r.Name), errors.New("not ann"))
		}
		if r.Name == "homeless" {
			return &api.Reply{Body: []byte(`{"metadata":{"name":"homeless"},"spec":{}}`)}, nil
		}
		return &api.Reply{Body: []byte(fmt.Sprintf(`{"metadata":{"name":%q,"namespace":%q,"uid":"u"},"spec":{"nodeName":"n1"}}`, r.Name, r.Namespace))}, nil
	}}
}

// agent serves one verb as node n1.
func (g *rig) agent(t *testing.T, v remote.Verb, h stream.Handler) {
	t.Helper()
	conn := g.bus.Conn(t, bus.NodeUser("n1"))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- remote.Serve(ctx, conn, "n1", v, 16, h) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	// Its subscription is there once somebody answers.
	probe := g.bus.Conn(t, "probe")
	for {
		_, err := stream.Dial(context.Background(), probe, bus.NodeSubject("n1", "probe", string(v)), []byte("no request"))
		if !errors.Is(err, bus.ErrUnreachable) {
			return
		}
	}
}

// shell repeats stdin on both outputs, says which sizes it saw, and ends with code 7.
func shell(ctx context.Context, _ bus.User, hello []byte, accept func() (*stream.Stream, error)) error {
	ask, err := remote.Parse[remote.Exec](hello)
	if err != nil {
		return err
	}
	return shellOf(ctx, ask, accept)
}

func shellOf(ctx context.Context, ask remote.Exec, accept func() (*stream.Stream, error)) error {
	if ask.Command[0] == "missing" {
		return apierrors.NewBadRequest("container c of pod p is not running")
	}
	st, err := accept()
	if err != nil {
		return err
	}
	send := func(ch byte, s string) { _ = st.Send(ctx, stream.Frame{Channel: ch, Data: []byte(s)}) }
	send(remote.Stdout, fmt.Sprintf("%s %s/%s %s %v\n", ask.Command, ask.Namespace, ask.Name, ask.UID, ask.TTY))
	for ask.Stdin || ask.TTY {
		f, err := st.Recv(ctx)
		if err != nil {
			return err
		}
		if f.Channel == remote.Resize {
			send(remote.Stdout, "size "+string(f.Data)+"\n")
			if !ask.Stdin {
				break
			}
			continue
		}
		if len(f.Data) == 0 {
			break
		}
		send(remote.Stdout, string(f.Data))
		send(remote.Stderr, strings.ToUpper(string(f.Data)))
	}
	outcome := `{"status":"Failure","reason":"NonZeroExitCode","message":"exit status 7","details":{"causes":[{"reason":"ExitCode","message":"7"}]}}`
	return st.Send(ctx, stream.Frame{Channel: remote.Error, Data: []byte(outcome)})
}

// config is client-go's, as the user.
func (g *rig) config(t *testing.T, user string, groups ...string) *rest.Config {
	t.Helper()
	cert, key, err := g.ca.Client(user, groups, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return &rest.Config{Host: "https://" + g.addr, TLSClientConfig: rest.TLSClientConfig{CAData: g.ca.PEM(), CertData: cert, KeyData: key}}
}

type oneSize struct{ sent bool }

func (s *oneSize) Next() *remotecommand.TerminalSize {
	if s.sent {
		return nil
	}
	s.sent = true
	return &remotecommand.TerminalSize{Width: 80, Height: 24}
}

// TestCommand: both protocols of client-go, as kubectl exec speaks them.
func TestCommand(t *testing.T) {
	t.Parallel()
	g := start(t, placed())
	g.agent(t, remote.VerbExec, shell)
	conf := g.config(t, "admin", "system:masters")
	long := strings.Repeat("0123456789abcdef", 20_000)
	for name, make := range map[string]func(u *url.URL) (remotecommand.Executor, error){
		"websocket": func(u *url.URL) (remotecommand.Executor, error) {
			return remotecommand.NewWebSocketExecutor(conf, "GET", u.String())
		},
		"spdy": func(u *url.URL) (remotecommand.Executor, error) {
			return remotecommand.NewSPDYExecutor(conf, "POST", u)
		},
	} {
		run := func(query string, o remotecommand.StreamOptions) error {
			u, err := url.Parse("https://" + g.addr + "/api/v1/namespaces/a/pods/p/exec?" + query)
			if err != nil {
				t.Fatal(err)
			}
			e, err := make(u)
			if err != nil {
				t.Fatal(err)
			}
			return e.StreamWithContext(t.Context(), o)
		}
		exited := func(err error) bool {
			var code utilexec.ExitError
			return errors.As(err, &code) && code.ExitStatus() == 7
		}
		var out, errOut bytes.Buffer
		err := run("command=sh&command=-c&stdin=true&stdout=true&stderr=true", remotecommand.StreamOptions{Stdin: strings.NewReader(long), Stdout: &out, Stderr: &errOut})
		if !exited(err) || out.String() != "[sh -c] a/p u false\n"+long || errOut.String() != strings.ToUpper(long) {
			t.Errorf("%s: %v, %d and %d bytes: %.100s", name, err, out.Len(), errOut.Len(), out.String())
		}
		out.Reset()
		err = run("command=sh&stdout=true&tty=true", remotecommand.StreamOptions{Stdout: &out, Tty: true, TerminalSizeQueue: &oneSize{}})
		if !exited(err) || out.String() != "[sh] a/p u true\nsize {\"Width\":80,\"Height\":24}\n" {
			t.Errorf("%s with a terminal: %v, %q", name, err, out.String())
		}
		err = run("command=missing&stdout=true", remotecommand.StreamOptions{Stdout: io.Discard})
		if err == nil || !strings.Contains(err.Error(), "is not running") {
			t.Errorf("%s refused by the agent: %v", name, err)
		}
	}
}

func TestCommandRefused(t *testing.T) {
	t.Parallel()
	g := start(t, placed())
	ann := g.client(t, g.ca, "ann", time.Hour)
	for _, tt := range []struct {
		client *http.Client
		path   string
		header []string
		code   int
		has    string
	}{
		{g.admin(t), "p/exec?command=x&stdout=1", nil, 400, "Upgrade request required"},
		{g.admin(t), "p/portforward", nil, 400, "Upgrade request required"},
		{ann, "p/log", nil, 403, "not ann"},
		{g.admin(t), "p/log?tailLines=x", nil, 400, "tailLines"},
		{g.admin(t), "p/log?follow=x", nil, 400, "follow"},
		{g.admin(t), "homeless/log", nil, 200, ""},
		{g.admin(t), "p/log", nil, 503, "ServiceUnavailable"}, // its agent is away
	} {
		code, body, _ := g.ask(t, tt.client, "GET", "/api/v1/namespaces/a/pods/"+tt.path, "", tt.header...)
		if code != tt.code || !strings.Contains(body, tt.has) {
			t.Errorf("%s: %d %s", tt.path, code, body)
		}
	}
}

func TestLogs(t *testing.T) {
	t.Parallel()
	g := start(t, placed())
	more := make(chan struct{})
	g.agent(t, remote.VerbLogs, func(ctx context.Context, _ bus.User, hello []byte, accept func() (*stream.Stream, error)) error {
		ask, err := remote.Parse[remote.Logs](hello)
		if err != nil {
			return err
		}
		st, err := accept()
		if err != nil {
			return err
		}
		line := fmt.Sprintf("%s %v %d\n", ask.Container, ask.Follow, *ask.TailLines)
		if err := st.Send(ctx, stream.Frame{Channel: remote.Stdout, Data: []byte(line)}); err != nil {
			return err
		}
		select {
		case <-more:
		case <-ctx.Done():
			return ctx.Err()
		}
		return st.Send(ctx, stream.Frame{Channel: remote.Stdout, Data: []byte("end\n")})
	})
	resp, err := g.admin(t).Get("https://" + g.addr + "/api/v1/namespaces/a/pods/p/log?container=c&follow=true&tailLines=5")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	first := make([]byte, 100)
	n, err := resp.Body.Read(first) // before the end: it is passed on at once
	if err != nil || string(first[:n]) != "c true 5\n" {
		t.Fatalf("%q, %v", first[:n], err)
	}
	close(more)
	if rest, err := io.ReadAll(resp.Body); err != nil || string(rest) != "end\n" {
		t.Errorf("%q, %v", rest, err)
	}
}
