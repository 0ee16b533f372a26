//go:build linux

package volume

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"

	v1 "k8s.io/api/core/v1"
)

// Tokens makes tokens of a pod's service account, bound to the pod.
type Tokens interface {
	// Token returns one for audience ("" for the cluster's own) that lives for seconds.
	Token(ctx context.Context, p *v1.Pod, audience string, seconds int64) (Token, error)
}

// Token is a token and how long it lives.
type Token struct {
	Value   string    `json:"value"`
	Issued  time.Time `json:"issued"`
	Expires time.Time `json:"expires"`
}

const (
	// A token is renewed when a fifth of its life is left, or after a day.
	maxTokenAge = 24 * time.Hour
	// tokenRetry is how soon a renewal that failed is tried again.
	tokenRetry = 30 * time.Second
	// defaultTokenSeconds is the life of a token whose volume does not say.
	defaultTokenSeconds = 3600
)

// due is when t is to be renewed.
func (t Token) due() time.Time {
	at := t.Expires.Add(-t.Expires.Sub(t.Issued) / 5)
	if day := t.Issued.Add(maxTokenAge); day.Before(at) {
		return day
	}
	return at
}

// token adds the file of one token. One that is not due to be renewed stays; while none can be
// had, the former one does too, which its reader may find expired.
func (c *collector) token(ctx context.Context, t *v1.ServiceAccountTokenProjection, b base) error {
	if c.Tokens == nil {
		return errors.New("there are no service account tokens")
	}
	name := c.name + "/" + path.Clean(t.Path)
	c.recall()
	have, ok := c.state.tokens[name]
	if !ok || !c.Now().Before(have.due()) {
		seconds := int64(defaultTokenSeconds)
		if t.ExpirationSeconds != nil {
			seconds = *t.ExpirationSeconds
		}
		fresh, err := c.Tokens.Token(ctx, c.pod, t.Audience, seconds)
		switch {
		case err == nil:
			have = fresh
			c.state.tokens[name] = have
			if err := c.remember(); err != nil {
				return err
			}
		case !ok:
			return fmt.Errorf("failed to fetch token: %w", err)
		default:
			c.Log.Warn("renew token", "pod", keyOf(c.pod), "error", err)
		}
	}
	c.out[path.Clean(t.Path)] = c.private(b, []byte(have.Value), t.User)
	return nil
}

func (c *collector) tokenFile() string {
	return filepath.Join(c.pods, string(c.pod.UID), "tokens.json")
}

// recall reads the tokens that an agent before this one had: a restart renews none, and a
// host that boots without a bus has some.
func (c *collector) recall() {
	if c.state.tokens != nil {
		return
	}
	c.state.tokens = map[string]Token{}
	data, err := os.ReadFile(c.tokenFile())
	if err == nil {
		err = json.Unmarshal(data, &c.state.tokens)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		c.Log.Warn("read kept tokens", "pod", keyOf(c.pod), "error", err)
	}
}

// remember keeps the tokens on disk, whole or as they were.
func (c *collector) remember() error {
	data, err := json.Marshal(c.state.tokens)
	if err != nil {
		return fmt.Errorf("keep tokens: %w", err)
	}
	to := c.tokenFile()
	if err := os.MkdirAll(filepath.Dir(to), 0o711); err != nil {
		return fmt.Errorf("keep tokens: %w", err)
	}
	if err := os.WriteFile(to+".new", data, 0o600); err != nil {
		return fmt.Errorf("keep tokens: %w", err)
	}
	return os.Rename(to+".new", to)
}

// renewal is how long until the first of s's tokens and certificates is to be looked at, or a
// driver asked again; 0 if there is none.
func (m *Manager) renewal(s *state) time.Duration {
	now := m.Now()
	first := time.Duration(0)
	sooner := func(d time.Duration) {
		if d > 0 && (first == 0 || d < first) {
			first = d
		}
	}
	for _, t := range s.tokens {
		sooner(max(t.due().Sub(now), tokenRetry))
	}
	for _, c := range s.certificates {
		sooner(c.Due(now))
	}
	if len(s.republish) > 0 {
		sooner(republishEvery)
	}
	return first
}
