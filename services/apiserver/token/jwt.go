package token

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
)

// claims are a token's, as Kubernetes writes them.
type claims struct {
	Audience  []string `json:"aud,omitempty"`
	Expires   int64    `json:"exp"`
	IssuedAt  int64    `json:"iat"`
	Issuer    string   `json:"iss"`
	ID        string   `json:"jti"`
	Kube      bound    `json:"kubernetes.io"`
	NotBefore int64    `json:"nbf"`
	Subject   string   `json:"sub"`
}

// bound is whose a token is, and what it lasts with.
type bound struct {
	Namespace string `json:"namespace"`
	Node      *ref   `json:"node,omitempty"`
	Pod       *ref   `json:"pod,omitempty"`
	Secret    *ref   `json:"secret,omitempty"`
	Account   ref    `json:"serviceaccount"`
}

type ref struct {
	Name string `json:"name"`
	UID  string `json:"uid,omitempty"`
}

type header struct {
	Algorithm string `json:"alg"`
	KeyID     string `json:"kid"`
}

const (
	// algorithm is ECDSA with P-256 and SHA-256, RFC 7518 section 3.4.
	algorithm = "ES256"
	half      = 32 // bytes of r, and of s
	// longest is the most bytes of a token that is looked at.
	longest = 16 << 10
)

func sign(c claims, ks *keys) (string, error) {
	head, err := part(header{algorithm, ks.signer})
	if err != nil {
		return "", err
	}
	body, err := part(c)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(head + "." + body))
	r, s, err := ecdsa.Sign(rand.Reader, ks.byID[ks.signer], sum[:])
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	sig := make([]byte, 2*half)
	r.FillBytes(sig[:half])
	s.FillBytes(sig[half:])
	return head + "." + body + "." + base64.RawURLEncoding.EncodeToString(sig), nil
}

func part(v any) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("encode token: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(b), nil
}

var errSignature = errors.New("the token is not signed by this cluster")

// open returns the claims of a token whose signature holds.
func open(token string, ks *keys) (claims, error) {
	var c claims
	if len(token) > longest {
		return c, errors.New("the token is too long")
	}
	p := strings.Split(token, ".")
	if len(p) != 3 {
		return c, errors.New("the token is no JWT")
	}
	var h header
	if err := unpart(p[0], &h); err != nil {
		return c, err
	}
	// The key decides which algorithm holds, not the token.
	key := ks.byID[h.KeyID]
	sig, err := base64.RawURLEncoding.Strict().DecodeString(p[2])
	if h.Algorithm != algorithm || key == nil || err != nil || len(sig) != 2*half {
		return c, errSignature
	}
	sum := sha256.Sum256([]byte(p[0] + "." + p[1]))
	r, s := new(big.Int).SetBytes(sig[:half]), new(big.Int).SetBytes(sig[half:])
	if !ecdsa.Verify(&key.PublicKey, sum[:], r, s) {
		return c, errSignature
	}
	return c, unpart(p[1], &c)
}

func unpart(s string, into any) error {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil {
		return fmt.Errorf("decode token: %w", err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("decode token: %w", err)
	}
	return nil
}
