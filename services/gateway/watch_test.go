package gateway

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/bus/stream"
)

// pod is one as the apiserver would send it.
const pod = `{"kind":"Pod","apiVersion":"v1","metadata":{"name":"p","namespace":"a","resourceVersion":"7"},"spec":{"containers":[]},"status":{"phase":"Running"}}`

// watch opens a watch and returns its lines.
func (g *rig) watch(t *testing.T, query string, header ...string) (*http.Response, *bufio.Scanner) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", "https://"+g.addr+"/api/v1/namespaces/a/pods?watch=1"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	resp, err := g.admin(t).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp, bufio.NewScanner(resp.Body)
}

func TestWatch(t *testing.T) {
	t.Parallel()
	g := start(t, backend{watch: func(_ context.Context, r *api.Request, emit func(api.WatchEvent) error) error {
		if r.As.User != "admin" || r.List.ResourceVersion != "5" || !r.List.AllowWatchBookmarks {
			return apierrors.NewBadRequest("the options were lost")
		}
		for _, e := range []api.WatchEvent{
			{Type: "ADDED", Object: json.RawMessage(pod)},
			{Type: "MODIFIED", Object: json.RawMessage(pod)},
			{Type: "BOOKMARK", Object: json.RawMessage(`{"kind":"Pod","apiVersion":"v1","metadata":{"resourceVersion":"9"}}`)},
		} {
			if err := emit(e); err != nil {
				return err
			}
		}
		return apierrors.NewResourceExpired("too old")
	}})
	const query = "&resourceVersion=5&allowWatchBookmarks=true"
	forms := map[string][]string{
		"": {`"type":"ADDED","object":` + pod, `"type":"MODIFIED"`, `"BOOKMARK"`, `"type":"ERROR","object":{"kind":"Status"`},
		"application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1": {`{"type":"ADDED","object":{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":{"name":"p"`,
			`"type":"MODIFIED"`, `{"resourceVersion":"9"}`, `"code":410`},
		"application/json;as=Table;g=meta.k8s.io;v=v1": {`"columnDefinitions":[{"name":"Name"`, `"columnDefinitions":null`, `"resourceVersion":"9"`, `"code":410`},
	}
	for form, want := range forms {
		_, lines := g.watch(t, query, "Accept", form)
		for _, w := range want {
			if !lines.Scan() || !strings.Contains(lines.Text(), w) {
				t.Errorf("%s: got %s, want %s", form, lines.Text(), w)
			}
		}
		if lines.Scan() {
			t.Errorf("%s: more came: %s", form, lines.Text())
		}
	}
}

// TestWatchEndsWithTheGateway: a stopping gateway does not wait for watches, and a client
// that leaves ends the apiserver's side.
func TestWatchEndsWithTheGateway(t *testing.T) {
	t.Parallel()
	ended := make(chan struct{}, 2)
	g := start(t, backend{watch: func(ctx context.Context, _ *api.Request, emit func(api.WatchEvent) error) error {
		if err := emit(api.WatchEvent{Type: "ADDED", Object: json.RawMessage(pod)}); err != nil {
			return err
		}
		<-ctx.Done()
		ended <- struct{}{}
		return ctx.Err()
	}})
	resp, lines := g.watch(t, "")
	lines.Scan()
	resp.Body.Close()
	<-ended
	_, lines = g.watch(t, "")
	lines.Scan()
	g.stop()
	<-ended
	if lines.Scan() {
		t.Errorf("more came: %s", lines.Text())
	}
}

// TestWatchEndsWithTheApiserver: the stream ends without an error event, so that an informer
// watches on from where it was.
func TestWatchEndsWithTheApiserver(t *testing.T) {
	t.Parallel()
	_, lines := start(t, backend{watch: func(_ context.Context, _ *api.Request, emit func(api.WatchEvent) error) error {
		if err := emit(api.WatchEvent{Type: "ADDED", Object: json.RawMessage(pod)}); err != nil {
			return err
		}
		return apierrors.NewServiceUnavailable("stopping")
	}}).watch(t, "")
	if !lines.Scan() || !strings.Contains(lines.Text(), "ADDED") {
		t.Errorf("got %s", lines.Text())
	}
	if lines.Scan() {
		t.Errorf("more came: %s", lines.Text())
	}
}

func TestEnded(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		err  error
		want bool
	}{
		{nil, false},
		{io.EOF, true},
		{fmt.Errorf("watch pods: %w", stream.ErrPeerLost), true},
		{fmt.Errorf("watch pods: %w", apierrors.NewServiceUnavailable("stopping")), true},
		{fmt.Errorf("watch pods: %w", apierrors.NewResourceExpired("too old")), false},
		{apierrors.NewInternalError(errors.New("it panicked")), false},
	} {
		if got := ended(tc.err); got != tc.want {
			t.Errorf("%v: got %v", tc.err, got)
		}
	}
}

// refusing refuses watches before they begin.
type refusing struct{ backend }

func (refusing) Watch(context.Context, *api.Request) (api.Source, error) {
	return nil, apierrors.NewBadRequest("not this one")
}

// TestWatchRefused: who may not watch gets the status, not a stream that ends.
func TestWatchRefused(t *testing.T) {
	t.Parallel()
	resp, lines := start(t, refusing{}).watch(t, "")
	if lines.Scan(); resp.StatusCode != http.StatusBadRequest || !strings.Contains(lines.Text(), "not this one") {
		t.Errorf("%s %s", resp.Status, lines.Text())
	}
}

func TestTheBusAway(t *testing.T) {
	t.Parallel()
	g := start(t, backend{})
	c := g.admin(t)
	g.bus.Stop()
	// A write that was on its way may wait for the bus: this one is not.
	for {
		code, body, _ := g.ask(t, c, "GET", "/readyz", "")
		if code == 500 && strings.Contains(body, "[-]bus failed") {
			break
		}
	}
	code, body, header := g.ask(t, c, "POST", "/api/v1/namespaces/a/pods", pod, "Content-Type", "application/json")
	if code != http.StatusServiceUnavailable || header.Get("Retry-After") != "1" {
		t.Errorf("%d %s %v", code, body, header)
	}
	if code, _, _ := g.ask(t, c, "GET", "/livez", ""); code != 200 {
		t.Errorf("livez: %d", code)
	}
}
