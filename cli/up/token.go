//go:build linux

package up

import (
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/identity"
)

// joiner is who a host with a token is, until it has credentials of its own.
const joiner bus.User = "system:join"

// token is what a join token holds. Only asking to join can be done with it.
type token struct {
	Creds string
	CA    string // PEM, "" without TLS
}

// joinToken mints a token. ca is the PEM text to trust for TLS, "" without TLS.
func joinToken(a *identity.Authority, ca string) (string, error) {
	creds, err := a.Credentials(identity.RoleJoin, joiner)
	if err != nil {
		return "", fmt.Errorf("make join token: %w", err)
	}
	return encodeToken(token{Creds: string(creds), CA: ca})
}

// credentials files are text around a JWT and a seed; a token is only these two,
// which are letters, digits, '-', '_' and, within the JWT, two dots.
var parts = regexp.MustCompile(`(?s)-----BEGIN NATS USER JWT-----\s+(\S+)\s.*-----BEGIN USER NKEY SEED-----\s+(\S+)\s`)

const credsText = "-----BEGIN NATS USER JWT-----\n%s\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\n%s\n------END USER NKEY SEED------\n"

// encodeToken renders <jwt>.<seed>[.<CA in base64>].
func encodeToken(t token) (string, error) {
	m := parts.FindStringSubmatch(t.Creds)
	if m == nil {
		return "", errors.New("make join token: the credentials are not a NATS credentials file")
	}
	s := m[1] + "." + m[2]
	if t.CA != "" {
		s += "." + base64.RawURLEncoding.EncodeToString([]byte(t.CA))
	}
	return s, nil
}

func decodeToken(s string) (token, error) {
	bad := errors.New("the token is not one of `skerry config token`; is it complete?")
	p := strings.Split(strings.TrimSpace(s), ".")
	if len(p) < 4 || len(p) > 5 || len(p[3]) != seedLength {
		return token{}, bad
	}
	t := token{Creds: fmt.Sprintf(credsText, strings.Join(p[:3], "."), p[3])}
	if len(p) == 5 {
		ca, err := base64.RawURLEncoding.DecodeString(p[4])
		if err != nil {
			return token{}, bad
		}
		t.CA = string(ca)
	}
	return t, nil
}

// seedLength is that of an nkey seed in text.
const seedLength = 58
