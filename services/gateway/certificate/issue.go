package certificate

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"net"
	"sync"
	"time"
)

// Client makes a client's certificate and key, as PEM: the user is the common name, the
// groups the organizations.
func (a *Authority) Client(user string, groups []string, life time.Duration) (certPEM, keyPEM []byte, err error) {
	t, err := template(pkix.Name{CommonName: user, Organization: groups}, life)
	if err != nil {
		return nil, nil, err
	}
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	der, key, err := a.sign(t)
	if err != nil {
		return nil, nil, err
	}
	if keyPEM, err = encodeKey(key); err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), keyPEM, nil
}

func (a *Authority) sign(t *x509.Certificate) ([]byte, *ecdsa.PrivateKey, error) {
	if t.NotAfter.After(a.cert.NotAfter) {
		t.NotAfter = a.cert.NotAfter
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("make key: %w", err)
	}
	der, err := x509.CreateCertificate(rand.Reader, t, a.cert, key.Public(), a.key)
	if err != nil {
		return nil, nil, fmt.Errorf("sign certificate of %s: %w", t.Subject.CommonName, err)
	}
	return der, key, nil
}

// Server returns a source of certificates for a server that is reached by names (host
// names and addresses). It makes them in memory: each start has another key.
func (a *Authority) Server(names ...string) *Source {
	return &Source{authority: a, names: names}
}

// Source gives a server its certificate, renewed at two thirds of its life. Safe for
// concurrent use.
type Source struct {
	authority *Authority
	names     []string

	mu    sync.Mutex
	cert  *tls.Certificate
	renew time.Time
}

// Certificate returns the certificate to serve with now.
func (s *Source) Certificate() (*tls.Certificate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if s.cert != nil && now.Before(s.renew) {
		return s.cert, nil
	}
	t, err := template(pkix.Name{CommonName: "skerry-gateway"}, serverLife)
	if err != nil {
		return nil, err
	}
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for _, n := range s.names {
		if ip := net.ParseIP(n); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else if n != "" {
			t.DNSNames = append(t.DNSNames, n)
		}
	}
	der, key, err := s.authority.sign(t)
	if err != nil {
		return nil, err
	}
	s.cert = &tls.Certificate{Certificate: [][]byte{der, s.authority.cert.Raw}, PrivateKey: key}
	s.renew = now.Add(t.NotAfter.Sub(now) * 2 / 3)
	return s.cert, nil
}
