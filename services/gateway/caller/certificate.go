package caller

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/services/gateway/certificate"
)

// remembered is how many verified certificates are kept, so that not every request
// costs a verification.
const remembered = 1024

type certificates struct {
	roots *x509.CertPool
	pods  Holders

	mu    sync.Mutex
	known map[[sha256.Size]byte]verified
}

type verified struct {
	who   *api.Identity
	pod   *certificate.Pod // whose the certificate is, if it is a pod's
	until time.Time
}

// identity is the user that the first of certs names: the common name, with the
// organizations as groups, as in Kubernetes; or the service account of the pod whose it is, which
// has to be there still.
func (c *certificates) identity(ctx context.Context, certs []*x509.Certificate) (*api.Identity, error) {
	now := time.Now()
	key := sha256.Sum256(certs[0].Raw)
	c.mu.Lock()
	v, ok := c.known[key]
	c.mu.Unlock()
	if !ok || !now.Before(v.until) {
		var err error
		if v, err = c.verify(certs, now); err != nil {
			return nil, err
		}
		c.remember(key, v)
	}
	if v.pod == nil {
		return v.who, nil
	}
	if c.pods == nil {
		return nil, unauthorized("this gateway accepts no pods' certificates")
	}
	there, err := c.pods.There(ctx, v.pod)
	if err != nil {
		return nil, err
	}
	if !there {
		return nil, unauthorized("the pod whose certificate it is, or its service account, is gone")
	}
	return v.who, nil
}

func unauthorized(why string) error { return apierrors.NewUnauthorized("Unauthorized: " + why) }

func (c *certificates) verify(certs []*x509.Certificate, now time.Time) (verified, error) {
	if c.roots == nil {
		return verified{}, unauthorized("this gateway accepts no client certificates")
	}
	between := x509.NewCertPool()
	for _, i := range certs[1:] {
		between.AddCert(i)
	}
	leaf := certificate.Understood(certs[0])
	chains, err := leaf.Verify(x509.VerifyOptions{
		Roots: c.roots, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return verified{}, unauthorized("the client certificate does not hold: " + err.Error())
	}
	v := verified{until: leaf.NotAfter}
	for _, i := range chains[0] {
		if i.NotAfter.Before(v.until) {
			v.until = i.NotAfter
		}
	}
	if v.pod, err = certificate.PodOf(leaf); err != nil {
		return verified{}, unauthorized("the client certificate does not hold: " + err.Error())
	}
	switch {
	case v.pod != nil:
		v.who = account(v.pod, leaf)
	case leaf.Subject.CommonName == "":
		return verified{}, unauthorized("the client certificate names no user")
	default:
		v.who = authenticated(&api.Identity{User: bus.User(leaf.Subject.CommonName), Groups: leaf.Subject.Organization})
	}
	return v, nil
}

func (c *certificates) remember(key [sha256.Size]byte, v verified) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil || len(c.known) >= remembered {
		c.known = map[[sha256.Size]byte]verified{}
	}
	c.known[key] = v
}
