package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"

	"github.com/goccy/go-yaml"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
)

// door is a way to the apiserver. Each client has a connection of its own, sends bodies that
// are ready, and reads replies without decoding them.
type door interface {
	create(ctx context.Context, client int, name string, body []byte) error
	update(ctx context.Context, client int, name string, body []byte) error
	get(ctx context.Context, client int, name string) error
	// list reads one page of 500 objects.
	list(ctx context.Context, client int) error
	// watch calls began once, then event for each event, until ctx ends.
	watch(ctx context.Context, client int, began, event func()) error
}

const listLimit = 500

// busDoor speaks to the bus.
type busDoor struct{ clients []*api.Client }

func (d busDoor) do(ctx context.Context, k int, r *api.Request) error {
	r.Resource, r.Namespace = schemas.ConfigMaps, namespace
	_, err := d.clients[k].Do(ctx, r)
	return err
}

func (d busDoor) create(ctx context.Context, k int, _ string, body []byte) error {
	return d.do(ctx, k, &api.Request{Verb: api.VerbCreate, Body: body})
}

func (d busDoor) update(ctx context.Context, k int, name string, body []byte) error {
	return d.do(ctx, k, &api.Request{Verb: api.VerbUpdate, Name: schemas.Name(name), Body: body})
}

func (d busDoor) get(ctx context.Context, k int, name string) error {
	return d.do(ctx, k, &api.Request{Verb: api.VerbGet, Name: schemas.Name(name)})
}

func (d busDoor) list(ctx context.Context, k int) error {
	return d.do(ctx, k, &api.Request{Verb: api.VerbList, List: &metav1.ListOptions{Limit: listLimit}})
}

func (d busDoor) watch(ctx context.Context, k int, began, event func()) error {
	w, err := d.clients[k].OpenWatch(ctx, &api.Request{Resource: schemas.ConfigMaps, Namespace: namespace, List: &metav1.ListOptions{FieldSelector: watched}})
	if err != nil {
		return err
	}
	defer w.Close()
	for first := true; ; first = false {
		if _, err := w.Next(ctx); err != nil {
			return ended(ctx, err)
		}
		if first { // the object as it is
			began()
			continue
		}
		event()
	}
}

func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil || errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// httpDoor speaks HTTP/2 over TLS.
type httpDoor struct {
	clients []*http.Client
	base    string
}

// kubeconfig is as much of one as is read here.
type kubeconfig struct {
	Clusters []struct {
		Cluster struct {
			Server string `yaml:"server"`
			CA     string `yaml:"certificate-authority-data"`
		} `yaml:"cluster"`
	} `yaml:"clusters"`
	Users []struct {
		User struct {
			Cert string `yaml:"client-certificate-data"`
			Key  string `yaml:"client-key-data"`
		} `yaml:"user"`
	} `yaml:"users"`
}

// http returns n clients with the administrator's certificate.
func (c *cluster) http(n int) (*httpDoor, error) {
	b, err := os.ReadFile(filepath.Join(c.dir, "kubeconfig"))
	if err != nil {
		return nil, err
	}
	var k kubeconfig
	if err := yaml.Unmarshal(b, &k); err != nil || len(k.Clusters) != 1 || len(k.Users) != 1 {
		return nil, fmt.Errorf("read kubeconfig: %w", err)
	}
	var pem [3][]byte
	for i, s := range []string{k.Clusters[0].Cluster.CA, k.Users[0].User.Cert, k.Users[0].User.Key} {
		if pem[i], err = base64.StdEncoding.DecodeString(s); err != nil {
			return nil, fmt.Errorf("read kubeconfig: %w", err)
		}
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem[0])
	pair, err := tls.X509KeyPair(pem[1], pem[2])
	if err != nil {
		return nil, fmt.Errorf("read kubeconfig: %w", err)
	}
	d := &httpDoor{base: fmt.Sprintf("%s/api/v1/namespaces/%s/configmaps", k.Clusters[0].Cluster.Server, namespace)}
	for range n {
		d.clients = append(d.clients, &http.Client{Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true,
		}})
	}
	return d, nil
}

func (d *httpDoor) close() {
	for _, c := range d.clients {
		c.CloseIdleConnections()
	}
}

func (d *httpDoor) open(ctx context.Context, k int, method, path string, body []byte) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, d.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	resp, err := d.clients[k].Do(r)
	if err == nil && resp.StatusCode >= 300 {
		b, _ := io.ReadAll(io.LimitReader(resp.Body, 1000))
		resp.Body.Close()
		err = fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, b)
	}
	return resp, err
}

func (d *httpDoor) do(ctx context.Context, k int, method, path string, body []byte) error {
	resp, err := d.open(ctx, k, method, path, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

func (d *httpDoor) create(ctx context.Context, k int, _ string, body []byte) error {
	return d.do(ctx, k, http.MethodPost, "", body)
}

func (d *httpDoor) update(ctx context.Context, k int, name string, body []byte) error {
	return d.do(ctx, k, http.MethodPut, "/"+name, body)
}

func (d *httpDoor) get(ctx context.Context, k int, name string) error {
	return d.do(ctx, k, http.MethodGet, "/"+name, nil)
}

func (d *httpDoor) list(ctx context.Context, k int) error {
	return d.do(ctx, k, http.MethodGet, fmt.Sprintf("?limit=%d", listLimit), nil)
}

func (d *httpDoor) watch(ctx context.Context, k int, began, event func()) error {
	resp, err := d.open(ctx, k, http.MethodGet, "?watch=1&fieldSelector="+watched, nil)
	if err != nil {
		return ended(ctx, err)
	}
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	for first := true; ; first = false {
		if _, err := lines.ReadSlice('\n'); err != nil {
			return ended(ctx, err)
		}
		if first {
			began()
			continue
		}
		event()
	}
}
