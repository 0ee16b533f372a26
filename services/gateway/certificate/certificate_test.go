package certificate

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestAuthorityIsKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pki")
	a, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if string(a.PEM()) != string(b.PEM()) {
		t.Error("another authority after a restart")
	}
	key := filepath.Join(dir, "ca.key")
	if info, err := os.Stat(key); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's mode is %v, %v", info.Mode(), err)
	}
	other, err := Load(filepath.Join(t.TempDir(), "other"))
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := encodeKey(other.key)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"", "not PEM", string(foreign)} {
		if err := os.WriteFile(key, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), "backup") {
			t.Errorf("key %.20q: %v", bad, err)
		}
	}
}

func TestCertificates(t *testing.T) {
	a, err := Load(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	certPEM, keyPEM, err := a.Client("ann", []string{"devs", "ops"}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		t.Fatal(err)
	}
	verify := func(c *x509.Certificate, use x509.ExtKeyUsage, name string) error {
		_, err := c.Verify(x509.VerifyOptions{Roots: a.Pool(), KeyUsages: []x509.ExtKeyUsage{use}, DNSName: name})
		return err
	}
	if err := verify(pair.Leaf, x509.ExtKeyUsageClientAuth, ""); err != nil {
		t.Error(err)
	}
	if verify(pair.Leaf, x509.ExtKeyUsageServerAuth, "") == nil {
		t.Error("a client's certificate can serve")
	}
	if s := pair.Leaf.Subject; s.CommonName != "ann" || len(s.Organization) != 2 || !slices.Contains(s.Organization, "devs") {
		t.Errorf("subject %v", s)
	}
	source := a.Server("localhost", "127.0.0.1")
	served, err := source.Certificate()
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(served.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"localhost", "127.0.0.1"} {
		if err := verify(leaf, x509.ExtKeyUsageServerAuth, name); err != nil {
			t.Error(err)
		}
	}
	if verify(leaf, x509.ExtKeyUsageClientAuth, "") == nil {
		t.Error("a server's certificate can be a client's")
	}
	again, err := source.Certificate()
	if err != nil || again != served {
		t.Errorf("another certificate at once: %v", err)
	}
	source.renew = time.Now().Add(-time.Second)
	if later, err := source.Certificate(); err != nil || later == served {
		t.Errorf("not renewed: %v", err)
	}
}
