package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"

	"golang.org/x/sync/errgroup"

	"github.com/skerry/skerry/services/agent/network"
)

// atOnce is how many pods the agent starts at once by default, and so how many are
// started straight at once.
const atOnce = 4

// raw is Podman's API without anything in between.
type raw struct {
	http *http.Client
}

func newRaw(socket string) *raw {
	return &raw{http: &http.Client{Transport: &http.Transport{
		MaxIdleConnsPerHost: 2 * atOnce,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}}}
}

// open makes one request; the caller closes the answer's body.
func (r *raw) open(ctx context.Context, method, path string, body any) (*http.Response, error) {
	var in io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		in = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://d/v4.0.0/libpod"+path, in)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := r.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	if resp.StatusCode >= http.StatusBadRequest {
		said, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		return nil, fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, said)
	}
	return resp, nil
}

// call makes one request and decodes the answer.
func (r *raw) call(ctx context.Context, method, path string, body, into any) error {
	resp, err := r.open(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || into == nil {
		return err
	}
	return json.Unmarshal(b, into)
}

type object map[string]any

func (r *raw) createPod(ctx context.Context, name string) error {
	return r.call(ctx, http.MethodPost, "/pods/create", object{
		"name": name, "infra_name": name + "-infra", "hostname": name,
		"shared_namespaces": []string{"net", "ipc", "uts"}, "restart_policy": "no", "exit_policy": "continue",
		"netns": object{"nsmode": "bridge"}, "Networks": object{network.Name: object{}},
	}, nil)
}

// createContainer makes what the manifest of deployment() asks for.
func (r *raw) createContainer(ctx context.Context, pod, name string) error {
	return r.call(ctx, http.MethodPost, "/containers/create", object{
		"name": name, "pod": pod, "image": image, "restart_policy": "no", "systemd": "false",
		"log_configuration": object{"driver": "k8s-file"},
		"resource_limits":   object{"cpu": object{"shares": 10}, "memory": object{"limit": 64 << 20}},
	}, nil)
}

func (r *raw) startContainer(ctx context.Context, name string) error {
	return r.call(ctx, http.MethodPost, "/containers/"+name+"/start", nil, nil)
}

// startPod takes the quickest way that the API offers: the container is made while
// the infra container starts.
func (r *raw) startPod(ctx context.Context, name string) error {
	if err := r.createPod(ctx, name); err != nil {
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return r.startContainer(gctx, name+"-infra") })
	g.Go(func() error { return r.createContainer(gctx, name, name+"-c") })
	if err := g.Wait(); err != nil {
		return err
	}
	return r.startContainer(ctx, name+"-c")
}

func (r *raw) removePod(ctx context.Context, name string) error {
	return r.call(ctx, http.MethodDelete, "/pods/"+name+"?force=true&timeout=0", nil, nil)
}

// each calls f with n names, as many at once as the agent would.
func each(ctx context.Context, n int, f func(context.Context, string) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for i := range n {
		g.Go(func() error { return f(ctx, fmt.Sprintf("raw%d", i)) })
	}
	return g.Wait()
}

// pid is the process of a running container.
func (r *raw) pid(ctx context.Context, container string) (int, error) {
	var i struct{ State struct{ Pid int } }
	if err := r.call(ctx, http.MethodGet, "/containers/"+container+"/json", nil, &i); err != nil {
		return 0, err
	}
	if i.State.Pid <= 0 {
		return 0, fmt.Errorf("container %s does not run", container)
	}
	return i.State.Pid, nil
}

// deaths calls f with the name of every container that ends, until ctx does. It
// returns once the stream is open; wait returns when it is closed.
func (r *raw) deaths(ctx context.Context, f func(name string)) (wait func(), err error) {
	q := url.Values{"stream": {"true"}, "filters": {`{"type":["container"],"event":["died"]}`}}
	resp, err := r.open(ctx, http.MethodGet, "/events?"+q.Encode(), nil)
	if err != nil {
		return nil, err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer resp.Body.Close()
		dec := json.NewDecoder(resp.Body)
		for {
			var e struct {
				Actor struct{ Attributes map[string]string }
			}
			if dec.Decode(&e) != nil {
				return
			}
			f(e.Actor.Attributes["name"])
		}
	}()
	return func() { <-done }, nil
}
