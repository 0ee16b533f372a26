package token

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"sync"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/schemas"
)

const (
	keysNamespace = "kube-system"
	keysName      = "service-account-keys"
	// current is the annotation that names the key that signs. Tokens of the other
	// keys hold until they expire: that is how a key is replaced.
	current = "skerry.io/signing-key"
)

// KeysRef names the Secret with the signing keys.
var KeysRef = schemas.Ref{Resource: schemas.Secrets, Namespace: keysNamespace, Name: keysName}

// NewKeys makes the Secret for a cluster that has none, with one new key.
func NewKeys() (*v1.Secret, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make signing key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("make signing key: %w", err)
	}
	id, err := keyID(&key.PublicKey)
	if err != nil {
		return nil, err
	}
	return &v1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: keysNamespace, Name: keysName, Annotations: map[string]string{current: id}},
		Type:       v1.SecretTypeOpaque,
		Data:       map[string][]byte{id: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})},
	}, nil
}

// keyID names a key after itself.
func keyID(k *ecdsa.PublicKey) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(k)
	if err != nil {
		return "", fmt.Errorf("name signing key: %w", err)
	}
	sum := sha256.Sum256(der)
	return base64.RawURLEncoding.EncodeToString(sum[:]), nil
}

// keys are the signing keys of a cluster, by id.
type keys struct {
	signer string
	byID   map[string]*ecdsa.PrivateKey
}

func parseKeys(s *v1.Secret) (*keys, error) {
	ks := &keys{signer: s.Annotations[current], byID: map[string]*ecdsa.PrivateKey{}}
	for id, data := range s.Data {
		block, _ := pem.Decode(data)
		if block == nil {
			return nil, fmt.Errorf("read signing key %q: no PEM", id)
		}
		parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("read signing key %q: %w", id, err)
		}
		key, ok := parsed.(*ecdsa.PrivateKey)
		if !ok || key.Curve != elliptic.P256() {
			return nil, fmt.Errorf("read signing key %q: only ECDSA keys of P-256 can sign", id)
		}
		ks.byID[id] = key
	}
	if ks.byID[ks.signer] == nil {
		return nil, fmt.Errorf("read signing keys: the annotation %s names %q, which is not there", current, ks.signer)
	}
	return ks, nil
}

// keyring reads the keys from the state, and parses them only when they have changed.
type keyring struct {
	state State

	mu      sync.Mutex
	version string
	parsed  *keys
}

func (r *keyring) get() (*keys, error) {
	obj, ok := r.state.Get(KeysRef)
	s, isSecret := obj.(*v1.Secret)
	if !ok || !isSecret {
		return nil, errors.New("the cluster has no signing keys for service accounts")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.parsed != nil && r.version == s.ResourceVersion {
		return r.parsed, nil
	}
	ks, err := parseKeys(s)
	if err != nil {
		return nil, err
	}
	r.version, r.parsed = s.ResourceVersion, ks
	return ks, nil
}
