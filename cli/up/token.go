//go:build unix

package up

import (
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/identity"
)

// joiner is who a host with a token is, until it has credentials of its own.
const joiner bus.User = "system:join"

// token is what a join token holds. Only asking to join can be done with it.
type token struct {
	Creds string `json:"creds"`
	CA    string `json:"ca,omitempty"`
}

// joinToken mints a token. ca is the PEM text to trust for TLS, "" without TLS.
func joinToken(a *identity.Authority, ca string) (string, error) {
	creds, err := a.Credentials(identity.RoleJoin, joiner)
	if err != nil {
		return "", fmt.Errorf("make join token: %w", err)
	}
	return encodeToken(token{Creds: string(creds), CA: ca})
}

func encodeToken(t token) (string, error) {
	b, err := json.Marshal(t)
	if err != nil {
		return "", fmt.Errorf("make join token: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(b), nil
}

func decodeToken(s string) (token, error) {
	var t token
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err == nil {
		err = json.Unmarshal(b, &t)
	}
	if err != nil || t.Creds == "" {
		return t, fmt.Errorf("the token is not one of `skerry config token`; is it complete?")
	}
	return t, nil
}
