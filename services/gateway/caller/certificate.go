package caller

import (
	"crypto/sha256"
	"crypto/x509"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
)

// remembered is how many verified certificates are kept, so that not every request
// costs a verification.
const remembered = 1024

type certificates struct {
	roots *x509.CertPool

	mu    sync.Mutex
	known map[[sha256.Size]byte]verified
}

type verified struct {
	who   *api.Identity
	until time.Time
}

// identity is the user that the first of certs names: the common name, with the
// organizations as groups, as in Kubernetes.
func (c *certificates) identity(certs []*x509.Certificate) (*api.Identity, error) {
	leaf, now := certs[0], time.Now()
	key := sha256.Sum256(leaf.Raw)
	c.mu.Lock()
	v, ok := c.known[key]
	c.mu.Unlock()
	if ok && now.Before(v.until) {
		return v.who, nil
	}
	if c.roots == nil {
		return nil, apierrors.NewUnauthorized("Unauthorized: this gateway accepts no client certificates")
	}
	between := x509.NewCertPool()
	for _, i := range certs[1:] {
		between.AddCert(i)
	}
	chains, err := leaf.Verify(x509.VerifyOptions{
		Roots: c.roots, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return nil, apierrors.NewUnauthorized("Unauthorized: the client certificate does not hold: " + err.Error())
	}
	if leaf.Subject.CommonName == "" {
		return nil, apierrors.NewUnauthorized("Unauthorized: the client certificate names no user")
	}
	v = verified{who: authenticated(&api.Identity{User: bus.User(leaf.Subject.CommonName), Groups: leaf.Subject.Organization}), until: leaf.NotAfter}
	for _, i := range chains[0] {
		if i.NotAfter.Before(v.until) {
			v.until = i.NotAfter
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil || len(c.known) >= remembered {
		c.known = map[[sha256.Size]byte]verified{}
	}
	c.known[key] = v
	return v.who, nil
}
