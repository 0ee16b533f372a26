package certificate

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"strings"
	"testing"
	"time"
)

var somePod = Pod{Namespace: "ns", NamespaceUID: "1", Account: "sa", AccountUID: "2", Name: "p", UID: "3", Node: "n", NodeUID: "4"}

func podCertificate(t *testing.T, a *Authority, p Pod) *x509.Certificate {
	t.Helper()
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	text, err := a.Pod(p, public, time.Now().Add(-time.Minute), time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	b, _ := pem.Decode(text)
	c, err := x509.ParseCertificate(b.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestPods: a pod's certificate says which pod it is, and holds for nobody who does not understand that.
func TestPods(t *testing.T) {
	a, err := Load(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	c := podCertificate(t, a, somePod)
	if p, err := PodOf(c); err != nil || *p != somePod {
		t.Errorf("read as %+v, %v", p, err)
	}
	o := x509.VerifyOptions{Roots: a.Pool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	if _, err := c.Verify(o); err == nil || !strings.Contains(err.Error(), "unhandled critical extension") {
		t.Errorf("not understood: %v", err)
	}
	if _, err := Understood(c).Verify(o); err != nil {
		t.Errorf("understood: %v", err)
	}
	o.KeyUsages = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	if _, err := Understood(c).Verify(o); err == nil {
		t.Error("a pod can be a server by it")
	}
	if c.Subject.CommonName != "" || c.IsCA {
		t.Errorf("subject %q, authority %v", c.Subject, c.IsCA)
	}
	if _, err := a.Pod(somePod, c.PublicKey, time.Now(), a.cert.NotAfter.Add(time.Second)); err == nil || !strings.Contains(err.Error(), "the authority ends at") {
		t.Errorf("longer than its authority: %v", err)
	}
	user, _, err := a.Client("ann", nil, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := pem.Decode(user)
	ann, err := x509.ParseCertificate(b.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := PodOf(ann); p != nil || err != nil {
		t.Errorf("a user is the pod %+v, %v", p, err)
	}
}

// TestIdentityOnTheWire: the bytes are those of the KEP's structure.
func TestIdentityOnTheWire(t *testing.T) {
	der, err := asn1.Marshal(somePod)
	if err != nil {
		t.Fatal(err)
	}
	want := "301a" + "80026e73" + "810131" + "82027361" + "830132" + "840170" + "850133" + "86016e" + "870134"
	if got := hex.EncodeToString(der); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestSpoiltIdentities(t *testing.T) {
	good, err := asn1.Marshal(somePod)
	if err != nil {
		t.Fatal(err)
	}
	nameless := somePod
	nameless.UID = ""
	incomplete, err := asn1.Marshal(nameless)
	if err != nil {
		t.Fatal(err)
	}
	for want, c := range map[string]*x509.Certificate{
		"its pod identity cannot be read":      {Extensions: []pkix.Extension{{Id: podIdentity, Value: []byte("x")}}},
		"its pod identity cannot be read ":     {Extensions: []pkix.Extension{{Id: podIdentity, Value: append(good, 0)}}},
		"its pod identity is not complete":     {Extensions: []pkix.Extension{{Id: podIdentity, Value: incomplete}}},
		"a pod's certificate has no other nam": {DNSNames: []string{"a"}, Extensions: []pkix.Extension{{Id: podIdentity, Value: good}}},
	} {
		if p, err := PodOf(c); p != nil || err == nil || !strings.Contains(err.Error(), strings.TrimSpace(want)) {
			t.Errorf("%s: %+v, %v", want, p, err)
		}
	}
}
