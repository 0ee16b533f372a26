// Package caller finds out who sends a request.
//
// It reads the client's certificate, a bearer token and the impersonation headers, and
// asks for tokens' reviews and whether a certificate's pod is still there. What always holds: credentials that do not hold are refused (401), never
// taken for none; whether somebody may be who they want to be is the apiserver's to say.
package caller

import (
	"context"
	"crypto/x509"
	"net/http"
	"net/url"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/services/gateway/certificate"
)

// Names that the API gives to users by how they came.
const (
	Anonymous            = bus.User("system:anonymous")
	GroupUnauthenticated = "system:unauthenticated"
	GroupAuthenticated   = "system:authenticated"
)

// maxNames bounds the groups and extras that a request may ask to have.
const maxNames = 64

// Reviewer says whose a bearer token is.
type Reviewer interface {
	// Review returns nil for a token that is nobody's.
	Review(ctx context.Context, token string) (*api.Identity, error)
}

// Holders knows the pods that certificates were made for.
type Holders interface {
	// There tells whether a pod, and its service account, are those of the certificate.
	There(ctx context.Context, p *certificate.Pod) (bool, error)
}

// Finder finds callers. Safe for concurrent use.
type Finder struct {
	certs  certificates
	tokens Reviewer
}

// New returns a finder that trusts certificates of the authorities in roots (nil: no
// certificates), those of pods as holders says (nil: none), and tokens as reviewer says (nil: no tokens).
func New(roots *x509.CertPool, holders Holders, reviewer Reviewer) *Finder {
	return &Finder{certs: certificates{roots: roots, pods: holders}, tokens: reviewer}
}

// Of returns who sends r.
func (f *Finder) Of(r *http.Request) (*api.Identity, error) {
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		return f.certs.identity(r.Context(), r.TLS.PeerCertificates)
	}
	header := r.Header.Get("Authorization")
	if header == "" {
		return &api.Identity{User: Anonymous, Groups: []string{GroupUnauthenticated}}, nil
	}
	scheme, token, _ := strings.Cut(header, " ")
	token = strings.TrimSpace(token)
	if !strings.EqualFold(scheme, "bearer") || token == "" || f.tokens == nil {
		return nil, apierrors.NewUnauthorized("Unauthorized")
	}
	who, err := f.tokens.Review(r.Context(), token)
	if err != nil {
		return nil, err
	}
	if who == nil {
		return nil, apierrors.NewUnauthorized("Unauthorized")
	}
	return authenticated(who), nil
}

func authenticated(who *api.Identity) *api.Identity {
	out := *who
	out.Groups = append([]string{}, who.Groups...)
	if !slices.Contains(out.Groups, GroupAuthenticated) {
		out.Groups = append(out.Groups, GroupAuthenticated)
	}
	return &out
}

// Impersonated returns whom r asks to be, nil if nobody else.
func Impersonated(r *http.Request) (*api.Identity, error) {
	const extra = "Impersonate-Extra-"
	users, groups := r.Header.Values("Impersonate-User"), r.Header.Values("Impersonate-Group")
	out := &api.Identity{UID: r.Header.Get("Impersonate-Uid"), Groups: append([]string{}, groups...)}
	for name, values := range r.Header {
		key, ok := strings.CutPrefix(name, extra)
		if !ok {
			continue
		}
		key, err := url.PathUnescape(strings.ToLower(key))
		if err != nil {
			return nil, apierrors.NewBadRequest("header " + name + ": " + err.Error())
		}
		if out.Extra == nil {
			out.Extra = map[string][]string{}
		}
		out.Extra[key] = append(out.Extra[key], values...)
	}
	if len(users) == 0 {
		if len(groups) > 0 || out.UID != "" || len(out.Extra) > 0 {
			return nil, apierrors.NewBadRequest("requested to impersonate groups, a uid or extras without impersonating a user")
		}
		return nil, nil
	}
	if len(users) > 1 || users[0] == "" || len(groups) > maxNames || len(out.Extra) > maxNames {
		return nil, apierrors.NewBadRequest("the impersonation headers must name one user and not too much of them")
	}
	out.User = bus.User(users[0])
	return out, nil
}
