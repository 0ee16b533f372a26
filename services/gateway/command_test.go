package gateway

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/url"
	"testing"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/remotecommand"
	utilexec "k8s.io/client-go/util/exec"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/remote"
	"github.com/skerry/skerry/bus/stream"
)

// executors are the ways in which client-go runs commands: the newest WebSocket protocol, the
// one before, which older clients know, and SPDY.
func executors(conf *rest.Config) map[string]func(u *url.URL) (remotecommand.Executor, error) {
	return map[string]func(u *url.URL) (remotecommand.Executor, error){
		"websocket": func(u *url.URL) (remotecommand.Executor, error) {
			return remotecommand.NewWebSocketExecutorForProtocols(conf, "GET", u.String(), "v5.channel.k8s.io")
		},
		"websocket v4": func(u *url.URL) (remotecommand.Executor, error) {
			return remotecommand.NewWebSocketExecutorForProtocols(conf, "GET", u.String(), "v4.channel.k8s.io")
		},
		"spdy": func(u *url.URL) (remotecommand.Executor, error) {
			return remotecommand.NewSPDYExecutor(conf, "POST", u)
		},
	}
}

// TestTerminal: sizes and exit codes in every protocol, for commands and attached containers.
func TestTerminal(t *testing.T) {
	t.Parallel()
	g := start(t, placed())
	g.agent(t, remote.VerbExec, shell)
	g.agent(t, remote.VerbAttach, func(ctx context.Context, _ bus.User, hello []byte, accept func() (*stream.Stream, error)) error {
		ask, err := remote.Parse[remote.Attach](hello)
		if err != nil {
			return err
		}
		again := remote.Exec{Pod: ask.Pod}
		again.Command, again.TTY, again.Stdout = []string{"attached"}, ask.TTY, ask.Stdout
		return shellOf(ctx, again, accept)
	})
	for name, executor := range executors(g.config(t, "admin", "system:masters")) {
		for what, want := range map[string]string{"exec?command=sh&": "[sh]", "attach?": "[attached]"} {
			u, err := url.Parse("https://" + g.addr + "/api/v1/namespaces/a/pods/p/" + what + "stdout=true&tty=true")
			if err != nil {
				t.Fatal(err)
			}
			e, err := executor(u)
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			err = e.StreamWithContext(t.Context(), remotecommand.StreamOptions{Stdout: &out, Tty: true, TerminalSizeQueue: &oneSize{}})
			var code utilexec.ExitError
			if !errors.As(err, &code) || code.ExitStatus() != 7 || out.String() != want+" a/p u true\nsize {\"Width\":80,\"Height\":24}\n" {
				t.Errorf("%s %s: %v, %q", name, what, err, out.String())
			}
		}
	}
}

// TestCommandLeft: a client that leaves in the middle ends its command, and a stopping gateway
// leaves its clients.
func TestCommandLeft(t *testing.T) {
	t.Parallel()
	g := start(t, placed())
	left := make(chan struct{}, 8)
	g.agent(t, remote.VerbExec, func(ctx context.Context, _ bus.User, hello []byte, accept func() (*stream.Stream, error)) error {
		if _, err := remote.Parse[remote.Exec](hello); err != nil {
			return err
		}
		st, err := accept()
		if err != nil {
			return err
		}
		if err := st.Send(ctx, stream.Frame{Channel: remote.Stdout, Data: []byte("begun")}); err != nil {
			return err
		}
		<-ctx.Done()
		left <- struct{}{}
		return ctx.Err()
	})
	u, err := url.Parse("https://" + g.addr + "/api/v1/namespaces/a/pods/p/exec?command=x&stdin=true&stdout=true")
	if err != nil {
		t.Fatal(err)
	}
	run := func(ctx context.Context, executor func(*url.URL) (remotecommand.Executor, error)) <-chan error {
		e, err := executor(u)
		if err != nil {
			t.Fatal(err)
		}
		in, hold := io.Pipe()
		done, ended := context.WithCancel(ctx)
		go func() { <-done.Done(); hold.Close() }()
		out, written := io.Pipe()
		result := make(chan error, 1)
		go func() {
			defer ended()
			result <- e.StreamWithContext(ctx, remotecommand.StreamOptions{Stdin: in, Stdout: written})
		}()
		if _, err := io.ReadFull(out, make([]byte, len("begun"))); err != nil {
			t.Fatal(err)
		}
		return result
	}
	all := executors(g.config(t, "admin", "system:masters"))
	for name, executor := range all {
		ctx, leave := context.WithCancel(t.Context())
		result := run(ctx, executor)
		leave()
		<-left
		if err := <-result; !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var results []<-chan error
	for _, executor := range all {
		results = append(results, run(t.Context(), executor))
	}
	g.stop()
	for _, result := range results {
		<-left
		<-result // however it ends: SPDY's client takes a closed connection for an end
	}
}
