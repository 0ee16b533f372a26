package action

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	v1 "k8s.io/api/core/v1"
)

// userAgent is what servers know these requests by: some are configured for it.
const userAgent = "kube-probe/1.37"

type roundTripper = http.RoundTripper

// transport makes a connection for each request: a kept one would not show that new
// ones are refused.
func transport(http2 bool) *http.Transport {
	t := &http.Transport{
		DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: 64 << 10,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // as the kubelet: the pod is told by its address
		Protocols:       new(http.Protocols),
	}
	t.Protocols.SetHTTP1(!http2)
	t.Protocols.SetHTTP2(http2)
	t.Protocols.SetUnencryptedHTTP2(http2)
	return t
}

// get succeeds if the server answers with a status from 200 to 399.
func (d *Doer) get(ctx context.Context, t Target, a *v1.HTTPGetAction) (Outcome, string) {
	req, err := request(ctx, t, a)
	if err != nil {
		return Unknown, err.Error()
	}
	client := http.Client{Transport: d.http1, CheckRedirect: local}
	if a.Protocol != nil && *a.Protocol == v1.HTTPProtocolHTTP2 {
		client.Transport = d.http2
	}
	resp, err := client.Do(req)
	if err != nil {
		return Failure, err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxOutput))
	switch {
	case err != nil:
		return Failure, err.Error()
	case resp.StatusCode >= 200 && resp.StatusCode < 300:
		return Success, string(body)
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		return Warning, fmt.Sprintf("Probe terminated redirects, Response body: %v", string(body))
	}
	return Failure, fmt.Sprintf("HTTP probe failed with statuscode: %d", resp.StatusCode)
}

// local follows redirects to the same host only: a pod must not send the agent elsewhere.
func local(req *http.Request, via []*http.Request) error {
	if req.URL.Hostname() != via[0].URL.Hostname() {
		return http.ErrUseLastResponse
	}
	if len(via) >= 10 {
		return errors.New("stopped after 10 redirects")
	}
	return nil
}

func request(ctx context.Context, t Target, a *v1.HTTPGetAction) (*http.Request, error) {
	address, err := t.address(a.Host, a.Port)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(a.Path)
	if err != nil {
		u = &url.URL{Path: a.Path} // what cannot be parsed is taken as it is
	}
	u.Scheme, u.Host = strings.ToLower(string(a.Scheme)), address
	if u.Scheme == "" {
		u.Scheme = "http"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	for _, h := range a.HTTPHeaders {
		req.Header.Add(h.Name, h.Value)
	}
	// An empty value asks for none of these.
	defaultHeader(req.Header, "User-Agent", userAgent)
	defaultHeader(req.Header, "Accept", "*/*")
	if host := req.Header.Get("Host"); host != "" {
		req.Host = host
	}
	return req, nil
}

func defaultHeader(h http.Header, name, value string) {
	switch got, set := h[name]; {
	case !set:
		h.Set(name, value)
	case len(got) > 0 && got[0] == "" && name != "User-Agent":
		h.Del(name)
	}
}
