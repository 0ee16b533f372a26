package gateway

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	utilproxy "k8s.io/apimachinery/pkg/util/proxy"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/bus/remote"
	"github.com/skerry/skerry/schemas"
)

// maxPage is the most bytes of an HTML page, whose links are rewritten and which is therefore
// held as a whole.
const maxPage = 16 << 20

// proxied says what right a method takes. OPTIONS has no verb in Kubernetes, so only who may do
// everything may send it.
var proxied = map[string]api.Verb{
	http.MethodGet: api.VerbGet, http.MethodHead: api.VerbGet, http.MethodPost: api.VerbCreate, http.MethodOptions: api.VerbGet,
	http.MethodPut: api.VerbUpdate, http.MethodPatch: api.VerbPatch, http.MethodDelete: api.VerbDelete,
}

// proxy passes the request on to a port of the pod, or of one of the service's, over the stream that forwarded ports use.
func (x *exchange) proxy(req *api.Request, _ url.Values) error {
	verb, ok := proxied[x.r.Method]
	if !ok {
		return x.only("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
	}
	req.Verb, req.Verbless = verb, x.r.Method == http.MethodOptions
	p, to, port, err := x.behind(req)
	if err != nil {
		return err
	}
	if x.route.Tail == "" && verb == api.VerbGet && !req.Verbless {
		// So that the page's relative links stay below the proxy.
		at := url.URL{Path: x.r.URL.Path + "/", RawQuery: x.r.URL.RawQuery}
		x.w.Header().Set("Location", at.String())
		x.w.WriteHeader(http.StatusMovedPermanently)
		return nil
	}
	ctx, cancel := x.lasting()
	var carried sync.WaitGroup
	defer carried.Wait()
	defer cancel()
	transport := &http.Transport{
		// The pod's certificate names the pod's address, if that: as in Kubernetes it is not checked.
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // see above
		DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: 1 << 20,
		DialContext: func(dialing context.Context, _, _ string) (net.Conn, error) {
			return x.dial(ctx, dialing, &carried, p, port)
		},
	}
	x.pass(ctx, to, transport)
	return nil
}

// behind asks the apiserver whether the user may, and which pod the request is for: the one
// that it names, or one that is behind what it names.
func (x *exchange) behind(req *api.Request) (*corev1.Pod, *url.URL, uint16, error) {
	if req.Resource == schemas.Pods {
		p, err := x.target(req, req.Verb)
		if err != nil {
			return nil, nil, 0, err
		}
		to, port, err := x.backend(p)
		return p, to, port, err
	}
	reply, err := x.s.client.Do(x.r.Context(), req)
	if err != nil {
		return nil, nil, 0, err
	}
	b := api.Backend{Pod: &corev1.Pod{}}
	if err := json.Unmarshal(reply.Body, &b); err != nil {
		return nil, nil, 0, apierrors.NewInternalError(err)
	}
	to, port, err := x.within(b.Pod, cmp.Or(b.Scheme, "http"), strconv.Itoa(int(b.Port)))
	return b.Pod, to, port, err
}

// backend is the URL that the request means within the pod, and its port: the one that the
// name says, or else the first that the pod declares, or 80.
func (x *exchange) backend(p *corev1.Pod) (*url.URL, uint16, error) {
	scheme, _, name, ok := utilnet.SplitSchemeNamePort(x.route.Name)
	if !ok {
		return nil, 0, apierrors.NewBadRequest("invalid pod request \"" + x.route.Name + "\"")
	}
	if scheme == "" {
		scheme = "http"
	}
	for i := 0; i < len(p.Spec.Containers) && name == ""; i++ {
		if ports := p.Spec.Containers[i].Ports; len(ports) > 0 {
			name = strconv.Itoa(int(ports[0].ContainerPort))
		}
	}
	if name == "" {
		name = map[string]string{"http": "80", "https": "443"}[scheme]
	}
	return x.within(p, scheme, name)
}

// within is the URL that the request's path means at a port of the pod.
func (x *exchange) within(p *corev1.Pod, scheme, name string) (*url.URL, uint16, error) {
	if p.Spec.NodeName == "" {
		return nil, 0, apierrors.NewBadRequest("pod " + p.Name + " does not have a host assigned")
	}
	port, err := strconv.ParseUint(name, 10, 16)
	if err != nil || port == 0 {
		return nil, 0, apierrors.NewBadRequest("the port of \"" + x.route.Name + "\" must be a number from 1 to 65535")
	}
	path, err := url.PathUnescape(x.route.Tail)
	if err != nil {
		return nil, 0, apierrors.NewBadRequest(err.Error())
	}
	host := p.Status.PodIP
	if host == "" {
		host = "localhost"
	}
	return &url.URL{
		Scheme: scheme, Host: net.JoinHostPort(host, name), Path: path, RawPath: x.route.Tail, RawQuery: x.r.URL.RawQuery,
	}, uint16(port), nil
}

// dial opens a connection to the pod's port that lasts until it is closed or ctx ends;
// dialing bounds the opening.
func (x *exchange) dial(ctx, dialing context.Context, carried *sync.WaitGroup, p *corev1.Pod, port uint16) (net.Conn, error) {
	st, err := remote.Dial(dialing, x.s.conn, schemas.NodeName(p.Spec.NodeName), remote.Forward{Pod: remote.PodOf(p), Port: port})
	if err != nil {
		return nil, err
	}
	near, far := net.Pipe()
	carried.Go(func() {
		defer st.Close()
		defer far.Close()
		_ = remote.Join(ctx, st, whole{far}) // its end is what the other side sees
	})
	return near, nil
}

// whole is a connection whose directions end together: HTTP has no use for half of one.
type whole struct{ net.Conn }

func (w whole) CloseWrite() error { return w.Close() }

// pass passes the request on and the answer back.
func (x *exchange) pass(ctx context.Context, to *url.URL, transport http.RoundTripper) {
	prefix := strings.TrimSuffix(x.r.URL.Path, to.Path)
	pass := httputil.ReverseProxy{
		FlushInterval: -1, // at once: who streams, means it
		ErrorLog:      log.New(io.Discard, "", 0),
		Transport:     &utilproxy.Transport{PathPrepend: prefix, RoundTripper: bounded{transport}},
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL = to
			r.Out.Header["X-Forwarded-For"] = r.In.Header["X-Forwarded-For"]
			r.SetXForwarded()
			private(r.Out.Header)
		},
		ModifyResponse: func(r *http.Response) error {
			x.w.Header().Del("Cache-Control") // the pod's own, if any
			for name := range r.Header {
				if strings.HasPrefix(name, "Access-Control-") { // who may use this API from a page is not a pod's to say
					r.Header.Del(name)
				}
			}
			return nil
		},
		ErrorHandler: func(_ http.ResponseWriter, _ *http.Request, err error) { x.fail(err) },
	}
	pass.ServeHTTP(&patient{ResponseWriter: x.w, wait: x.s.Limits.Write}, x.r.WithContext(logr.NewContext(ctx, logr.Discard())))
}

// private removes what says who the client is: that is between it and the gateway.
func private(h http.Header) {
	h.Del("Authorization")
	for name := range h {
		if strings.HasPrefix(name, "Impersonate-") {
			h.Del(name)
		}
	}
}

// bounded bounds the pages that are held.
type bounded struct{ http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.RoundTripper.RoundTrip(r)
	if err == nil && strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") && resp.StatusCode != http.StatusSwitchingProtocols {
		resp.Body = &page{ReadCloser: resp.Body, left: maxPage}
	}
	return resp, err
}

// page is a body that fails where it is too long.
type page struct {
	io.ReadCloser
	left int
}

var errPage = errors.New("the page is too long to have its links rewritten")

func (p *page) Read(b []byte) (int, error) {
	n, err := p.ReadCloser.Read(b)
	if p.left -= n; p.left < 0 {
		return 0, errPage
	}
	return n, err
}

// patient gives each piece of an answer its time.
type patient struct {
	http.ResponseWriter
	wait time.Duration
}

func (p *patient) Write(b []byte) (int, error) {
	defer bound(p.ResponseWriter, p.wait)()
	return p.ResponseWriter.Write(b)
}

func (p *patient) Unwrap() http.ResponseWriter { return p.ResponseWriter }
