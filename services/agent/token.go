//go:build linux

package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/agent/volume"
)

// tokens asks the apiserver for tokens of pods' service accounts. It implements volume.Tokens.
type tokens struct{ *source }

// Token implements volume.Tokens.
func (t *tokens) Token(ctx context.Context, p *v1.Pod, audience string, seconds int64) (volume.Token, error) {
	if !t.conn.Connected() {
		return volume.Token{}, bus.ErrUnreachable
	}
	ctx, cancel := context.WithTimeout(ctx, 4*patience)
	defer cancel()
	ask := authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		ExpirationSeconds: &seconds,
		BoundObjectRef:    &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: p.Name, UID: p.UID},
	}}
	if audience != "" {
		ask.Spec.Audiences = []string{audience}
	}
	body, err := json.Marshal(&ask)
	if err != nil {
		return volume.Token{}, fmt.Errorf("encode token request: %w", err)
	}
	// By this host's clock, which it will be compared with.
	now := time.Now()
	reply, err := t.client.Do(ctx, &api.Request{
		Verb: api.VerbCreate, Resource: schemas.ServiceAccounts, Subresource: "token",
		Namespace: schemas.Namespace(p.Namespace), Name: schemas.Name(p.Spec.ServiceAccountName), Body: body,
	})
	if err != nil {
		return volume.Token{}, err
	}
	var got authenticationv1.TokenRequest
	if err := json.Unmarshal(reply.Body, &got); err != nil {
		return volume.Token{}, fmt.Errorf("decode token: %w", err)
	}
	if got.Status.Token == "" || got.Spec.ExpirationSeconds == nil {
		return volume.Token{}, fmt.Errorf("the answer holds no token")
	}
	return volume.Token{Value: got.Status.Token, Issued: now, Expires: now.Add(time.Duration(*got.Spec.ExpirationSeconds) * time.Second)}, nil
}
