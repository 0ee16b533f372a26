package certificate

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Pod is whose a pod's certificate is. It is an extension of the certificate, as KEP-4317
// first described it; Kubernetes 1.37 neither makes nor reads such certificates yet.
type Pod struct {
	Namespace    string `asn1:"utf8,tag:0"`
	NamespaceUID string `asn1:"utf8,tag:1"`
	Account      string `asn1:"utf8,tag:2"`
	AccountUID   string `asn1:"utf8,tag:3"`
	Name         string `asn1:"utf8,tag:4"`
	UID          string `asn1:"utf8,tag:5"`
	Node         string `asn1:"utf8,tag:6"`
	NodeUID      string `asn1:"utf8,tag:7"`
}

// podIdentity is the extension's name, below the number that Kubernetes has.
var podIdentity = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57683, 1}

// Pod certifies, as PEM, that the holder of key is p. The certificate names no user: who does not
// know the extension, which is critical, refuses it.
func (a *Authority) Pod(p Pod, key crypto.PublicKey, from, to time.Time) ([]byte, error) {
	if to.After(a.cert.NotAfter) {
		return nil, fmt.Errorf("certify pod %s/%s: the authority ends at %v", p.Namespace, p.Name, a.cert.NotAfter)
	}
	identity, err := asn1.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("encode identity of pod %s/%s: %w", p.Namespace, p.Name, err)
	}
	t, err := template(pkix.Name{}, 0)
	if err != nil {
		return nil, err
	}
	t.NotBefore, t.NotAfter, t.BasicConstraintsValid = from, to, true
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	t.ExtraExtensions = []pkix.Extension{{Id: podIdentity, Critical: true, Value: identity}}
	der, err := x509.CreateCertificate(rand.Reader, t, a.cert, key, a.key)
	if err != nil {
		return nil, fmt.Errorf("certify pod %s/%s: %w", p.Namespace, p.Name, err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}

// PodOf is the pod whose certificate c claims to be, nil if it is nobody's of that kind.
// Whether the claim holds is for c's signature to say.
func PodOf(c *x509.Certificate) (*Pod, error) {
	at := slices.IndexFunc(c.Extensions, func(e pkix.Extension) bool { return e.Id.Equal(podIdentity) })
	if at < 0 {
		return nil, nil
	}
	var p Pod
	if rest, err := asn1.Unmarshal(c.Extensions[at].Value, &p); err != nil || len(rest) > 0 {
		return nil, errors.New("its pod identity cannot be read")
	}
	if p.Namespace == "" || p.Account == "" || p.AccountUID == "" || p.Name == "" || p.UID == "" {
		return nil, errors.New("its pod identity is not complete")
	}
	if len(c.DNSNames)+len(c.IPAddresses)+len(c.URIs)+len(c.EmailAddresses) > 0 {
		return nil, errors.New("a pod's certificate has no other names")
	}
	return &p, nil
}

// Understood is c with the pod identity marked as handled, for verification.
func Understood(c *x509.Certificate) *x509.Certificate {
	out := *c
	out.UnhandledCriticalExtensions = slices.DeleteFunc(slices.Clone(c.UnhandledCriticalExtensions),
		func(id asn1.ObjectIdentifier) bool { return id.Equal(podIdentity) })
	return &out
}
