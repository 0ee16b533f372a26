package signer

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
)

func TestPlan(t *testing.T) {
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	csr := func(r x509.CertificateRequest) []byte {
		der, err := x509.CreateCertificateRequest(rand.Reader, &r, key)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	now := time.Date(2026, 1, 2, 3, 4, 5, 678, time.UTC)
	empty := csr(x509.CertificateRequest{})
	type spec = certificatesv1.PodCertificateRequestSpec
	for name, c := range map[string]struct {
		s    spec
		kind string
		why  string
		life time.Duration
	}{
		"an hour":     {spec{StubPKCS10Request: empty, MaxExpirationSeconds: new(int32(3600))}, "Issued", "Issued", time.Hour},
		"a day":       {spec{StubPKCS10Request: empty, MaxExpirationSeconds: new(int32(86400))}, "Issued", "Issued", 24 * time.Hour},
		"no more":     {spec{StubPKCS10Request: empty, MaxExpirationSeconds: new(int32(90000))}, "Issued", "Issued", 24 * time.Hour},
		"annotations": {spec{StubPKCS10Request: empty, UnverifiedUserAnnotations: map[string]string{"a.b/c": ""}}, "Denied", "InvalidUnverifiedUserAnnotations", 0},
		"a subject":   {spec{StubPKCS10Request: csr(x509.CertificateRequest{Subject: pkix.Name{CommonName: "admin"}})}, "Denied", "UnexpectedContent", 0},
		"a name":      {spec{StubPKCS10Request: csr(x509.CertificateRequest{DNSNames: []string{"a"}})}, "Denied", "UnexpectedContent", 0},
		"nothing":     {spec{}, "Denied", "UnexpectedContent", 0},
	} {
		got := plan(&certificatesv1.PodCertificateRequest{Spec: c.s}, now)
		if got.condition.Type != c.kind || got.condition.Reason != c.why || got.condition.Message == "" {
			t.Errorf("%s: %+v", name, got.condition)
		}
		if c.kind == "Denied" {
			continue
		}
		from := time.Date(2026, 1, 2, 3, 2, 5, 0, time.UTC)
		if !got.from.Equal(from) || got.to.Sub(from) != c.life || got.refresh.Sub(from) != c.life/2 || !public.Equal(got.key) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
