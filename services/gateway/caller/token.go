package caller

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
)

const (
	// fresh is how long the answer to a token is believed, as in Kubernetes.
	fresh = 10 * time.Second
	// maxTokens bounds how many answers are remembered.
	maxTokens = 4096
)

// tokenReviews are the questions whose a token is.
var tokenReviews = schemas.Resource{Group: "authentication.k8s.io", Plural: "tokenreviews"}

// Tokens asks the apiserver whose a token is. Safe for concurrent use.
type Tokens struct {
	// Ask makes a request of the apiserver, as the gateway itself.
	Ask func(ctx context.Context, r *api.Request) (*api.Reply, error)

	mu    sync.Mutex
	known map[[sha256.Size]byte]told
}

// told is what the apiserver said of a token; who is nil if it is nobody's.
type told struct {
	who   *api.Identity
	until time.Time
}

// Review implements Reviewer.
func (t *Tokens) Review(ctx context.Context, token string) (*api.Identity, error) {
	key, now := sha256.Sum256([]byte(token)), time.Now()
	t.mu.Lock()
	have, ok := t.known[key]
	t.mu.Unlock()
	if ok && now.Before(have.until) {
		return have.who, nil
	}
	who, err := t.ask(ctx, token)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.known == nil || len(t.known) >= maxTokens {
		t.known = map[[sha256.Size]byte]told{}
	}
	t.known[key] = told{who, now.Add(fresh)}
	return who, nil
}

func (t *Tokens) ask(ctx context.Context, token string) (*api.Identity, error) {
	review := authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token}}
	review.SetGroupVersionKind(authenticationv1.SchemeGroupVersion.WithKind("TokenReview"))
	body, err := json.Marshal(review)
	if err != nil {
		return nil, fmt.Errorf("encode review of a token: %w", err)
	}
	reply, err := t.Ask(ctx, &api.Request{Verb: api.VerbCreate, Resource: tokenReviews, Body: body})
	switch {
	case apierrors.IsNotFound(err): // an apiserver that knows no tokens
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("review a token: %w", err)
	}
	var said authenticationv1.TokenReview
	if err := json.Unmarshal(reply.Body, &said); err != nil {
		return nil, fmt.Errorf("read review of a token: %w", err)
	}
	u := said.Status.User
	if !said.Status.Authenticated || u.Username == "" {
		return nil, nil
	}
	who := &api.Identity{User: bus.User(u.Username), UID: u.UID, Groups: u.Groups}
	for k, v := range u.Extra {
		if who.Extra == nil {
			who.Extra = map[string][]string{}
		}
		who.Extra[k] = v
	}
	return who, nil
}
