package gateway

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/kinds"
	"github.com/skerry/skerry/services/gateway/certificate"
	"github.com/skerry/skerry/services/gateway/signer"
)

// asPod is a client with a certificate that says to be p's, of an authority.
func (g *rig) asPod(t *testing.T, ca *certificate.Authority, p certificate.Pod) *http.Client {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	text, err := ca.Pod(p, key.Public(), time.Now().Add(-time.Minute), time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	b, _ := pem.Decode(text)
	pair := &tls.Certificate{Certificate: [][]byte{b.Bytes}, PrivateKey: key}
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: g.ca.Pool(), MinVersion: tls.VersionTLS12,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return pair, nil }}}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 20 * time.Second}
}

// TestPodsAreTheirAccounts: as long as pod and account are those of the certificate.
func TestPodsAreTheirAccounts(t *testing.T) {
	t.Parallel()
	there := map[string]string{"pods a/p": "pod-uid", "serviceaccounts a/sa": "sa-uid", "pods a/old": "another-uid"}
	b := backend{}
	plain := b
	b.do = func(r *api.Request) (*api.Reply, error) {
		if r.As != nil {
			return plain.Do(context.Background(), r)
		}
		uid, ok := there[r.Resource.String()+" "+string(r.Namespace)+"/"+string(r.Name)]
		if !ok || r.Verb != api.VerbGet || r.User != "system:gateway" {
			return nil, apierrors.NewNotFound(v1.Resource(r.Resource.Plural), string(r.Name))
		}
		body, err := json.Marshal(metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{UID: types.UID(uid)}})
		return &api.Reply{Body: body}, err
	}
	g := start(t, b)
	other, err := certificate.Load(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	is := certificate.Pod{Namespace: "a", Account: "sa", AccountUID: "sa-uid", Name: "p", UID: "pod-uid", Node: "n1", NodeUID: "node-uid"}
	with := func(change func(*certificate.Pod)) certificate.Pod {
		p := is
		change(&p)
		return p
	}
	for name, c := range map[string]struct {
		client *http.Client
		code   int
		has    string
	}{
		"there":        {g.asPod(t, g.ca, is), 200, `"as":"system:serviceaccount:a:sa","groups":"system:serviceaccounts,system:serviceaccounts:a,system:authenticated"`},
		"foreign":      {g.asPod(t, other, is), 401, "does not hold"},
		"made anew":    {g.asPod(t, g.ca, with(func(p *certificate.Pod) { p.Name = "old" })), 401, "is gone"},
		"gone":         {g.asPod(t, g.ca, with(func(p *certificate.Pod) { p.Name, p.UID = "none", "none" })), 401, "is gone"},
		"account anew": {g.asPod(t, g.ca, with(func(p *certificate.Pod) { p.AccountUID = "former" })), 401, "is gone"},
	} {
		for range 2 {
			code, body, _ := g.ask(t, c.client, "GET", "/api/v1/namespaces/a/pods", "")
			if code != c.code || !strings.Contains(body, c.has) {
				t.Errorf("%s: %d %s", name, code, body)
			}
		}
	}
}

// desk is an apiserver with requests for certificates and nothing else.
type desk struct {
	mu       sync.Mutex
	requests map[schemas.Name]*certificatesv1.PodCertificateRequest
	answered chan schemas.Name
	arrive   chan *certificatesv1.PodCertificateRequest
}

func (d *desk) Do(_ context.Context, r *api.Request) (*api.Reply, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	encoded := func(v any) (*api.Reply, error) {
		body, err := json.Marshal(v)
		return &api.Reply{Body: body}, err
	}
	switch {
	case r.Resource == schemas.Namespaces:
		return encoded(&v1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "ns", UID: "ns-uid"}})
	case r.Verb == api.VerbList:
		list := certificatesv1.PodCertificateRequestList{ListMeta: metav1.ListMeta{ResourceVersion: "1"}}
		for _, one := range d.requests {
			list.Items = append(list.Items, *one)
		}
		return encoded(list)
	case r.Verb == api.VerbGet:
		if one := d.requests[r.Name]; one != nil {
			return encoded(one)
		}
		return nil, apierrors.NewNotFound(certificatesv1.Resource("podcertificaterequests"), string(r.Name))
	}
	var next certificatesv1.PodCertificateRequest
	if err := json.Unmarshal(r.Body, &next); err != nil || r.Subresource != "status" {
		return nil, apierrors.NewBadRequest("not expected")
	}
	d.requests[r.Name] = &next
	d.answered <- r.Name
	return encoded(&next)
}

func (d *desk) Watch(context.Context, *api.Request) (api.Source, error) {
	return api.Events(d.arrivals), nil
}

func (d *desk) arrivals(ctx context.Context, emit func(api.WatchEvent) error) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case r := <-d.arrive:
			body, err := json.Marshal(r)
			if err != nil {
				return err
			}
			if err := emit(api.WatchEvent{Type: "ADDED", Object: body}); err != nil {
				return err
			}
		}
	}
}

// TestSigner: requests that are there and such that come are answered, in the pod's name, and what
// has been answered is left alone.
func TestSigner(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		t.Fatal(err)
	}
	request := func(name string) *certificatesv1.PodCertificateRequest {
		r := kinds.Table().ByResource(schemas.PodCertificateRequests).New().(*certificatesv1.PodCertificateRequest)
		r.ObjectMeta = metav1.ObjectMeta{Namespace: "ns", Name: name}
		r.Spec = certificatesv1.PodCertificateRequestSpec{SignerName: signer.Name, PodName: "p", PodUID: "pod-uid", ServiceAccountName: "sa", ServiceAccountUID: "sa-uid",
			NodeName: "n1", NodeUID: "node-uid", MaxExpirationSeconds: new(int32(3600)), StubPKCS10Request: csr}
		return r
	}
	ended, foreign := request("ended"), request("foreign")
	ended.Status.Conditions = []metav1.Condition{{Type: "Failed"}}
	foreign.Spec.SignerName = "a.b/c"
	d := &desk{answered: make(chan schemas.Name, 9), arrive: make(chan *certificatesv1.PodCertificateRequest),
		requests: map[schemas.Name]*certificatesv1.PodCertificateRequest{"first": request("first"), "ended": ended, "foreign": foreign, "second": request("second")}}
	first := d.requests["second"]
	delete(d.requests, "second")
	g := startWith(t, d, Limits{}, func(c *Config, ca *certificate.Authority) { c.Authority = ca })
	if name := <-d.answered; name != "first" {
		t.Errorf("%s was answered", name)
	}
	d.mu.Lock()
	d.requests["second"] = first
	d.mu.Unlock()
	d.arrive <- first
	if name := <-d.answered; name != "second" {
		t.Errorf("%s was answered", name)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.answered) != 0 || len(d.requests["foreign"].Status.Conditions) != 0 {
		t.Error("more was answered than was to be")
	}
	s := d.requests["second"].Status
	block, _ := pem.Decode([]byte(s.CertificateChain))
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	want := certificate.Pod{Namespace: "ns", NamespaceUID: "ns-uid", Account: "sa", AccountUID: "sa-uid", Name: "p", UID: "pod-uid", Node: "n1", NodeUID: "node-uid"}
	if p, err := certificate.PodOf(leaf); err != nil || *p != want {
		t.Errorf("it is the certificate of %+v, %v", p, err)
	}
	if _, err := certificate.Understood(leaf).Verify(x509.VerifyOptions{Roots: g.ca.Pool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		t.Error(err)
	}
	if der, err := x509.MarshalPKIXPublicKey(leaf.PublicKey); err != nil || !bytes.Equal(der, must(x509.MarshalPKIXPublicKey(key.Public()))) {
		t.Errorf("it is for another key, %v", err)
	}
	if errs := kinds.Table().ByResource(schemas.PodCertificateRequests).ValidateStatus(d.requests["second"], request("second"), time.Now()); len(errs) > 0 {
		t.Error(errs)
	}
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}
