// Package identity makes the bus's keys and credentials: one operator, one account,
// and one scoped signing key per role, whose permission template is that role's row
// of the writers' table.
//
// It reads and writes the authority's directory. What always holds: a role's
// permissions live in its signing key, in the account that the server enforces;
// whoever holds credentials can do that and no more.
package identity

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/schemas"
)

// responseTTL is how long an agent may take to answer a request.
const responseTTL = 2 * time.Minute

// Authority holds the seeds. It is what `skerry up` keeps under its data directory.
type Authority struct {
	operator, system, account nkeys.KeyPair
	signers                   map[Role]nkeys.KeyPair
	config                    ServerConfig
}

// ServerConfig is the public half, for a NATS server's operator mode with a memory resolver.
type ServerConfig struct {
	OperatorJWT   string
	SystemAccount string            // public key
	Accounts      map[string]string // public key → account JWT
}

// ServerConfig returns what a NATS server needs to enforce the authority's permissions.
func (a *Authority) ServerConfig() ServerConfig { return a.config }

// buildConfig signs the operator and account JWTs. They follow from the seeds and
// the permissions of this version, so an upgrade needs no migration.
func (a *Authority) buildConfig() error {
	pub := func(k nkeys.KeyPair) string { s, _ := k.PublicKey(); return s }

	oc := jwt.NewOperatorClaims(pub(a.operator))
	oc.Name = "skerry"
	oc.SystemAccount = pub(a.system)
	operator, err := oc.Encode(a.operator)
	if err != nil {
		return fmt.Errorf("sign operator: %w", err)
	}
	sc := jwt.NewAccountClaims(pub(a.system))
	sc.Name = "SYS"
	system, err := sc.Encode(a.operator)
	if err != nil {
		return fmt.Errorf("sign system account: %w", err)
	}
	ac := jwt.NewAccountClaims(pub(a.account))
	ac.Name = "SKERRY"
	ac.Limits.JetStreamLimits = jwt.JetStreamLimits{
		MemoryStorage: jwt.NoLimit, DiskStorage: jwt.NoLimit, Streams: jwt.NoLimit, Consumer: jwt.NoLimit,
		MaxAckPending: jwt.NoLimit, MemoryMaxStreamBytes: jwt.NoLimit, DiskMaxStreamBytes: jwt.NoLimit,
	}
	for _, r := range Roles() {
		scope := jwt.NewUserScope()
		scope.Role = string(r)
		scope.Key = pub(a.signers[r])
		if scope.Template.Permissions, err = permissions(r); err != nil {
			return err
		}
		ac.SigningKeys.AddScopedSigner(scope)
	}
	account, err := ac.Encode(a.operator)
	if err != nil {
		return fmt.Errorf("sign account: %w", err)
	}
	a.config = ServerConfig{
		OperatorJWT:   operator,
		SystemAccount: pub(a.system),
		Accounts:      map[string]string{pub(a.system): system, pub(a.account): account},
	}
	return nil
}

// Credentials mints a credentials file for user in role. For RoleNode, user must be
// bus.NodeUser(name); the template limits it to that node.
func (a *Authority) Credentials(role Role, user bus.User) ([]byte, error) {
	signer, ok := a.signers[role]
	if !ok {
		return nil, fmt.Errorf("mint credentials: unknown role %q", role)
	}
	if role == RoleUser && (user == "" || user == "admin" || strings.HasPrefix(string(user), "system:")) {
		return nil, fmt.Errorf("mint credentials: %q is no name for a user with roles: choose one that is not empty, not \"admin\" and does not begin with \"system:\"", user)
	}
	kp, err := nkeys.CreateUser()
	if err != nil {
		return nil, fmt.Errorf("mint credentials: %w", err)
	}
	public, err := kp.PublicKey()
	if err != nil {
		return nil, fmt.Errorf("mint credentials: %w", err)
	}
	token, err := sign(signer, a.accountKey(), role, user, public)
	if err != nil {
		return nil, err
	}
	seed, err := kp.Seed()
	if err != nil {
		return nil, fmt.Errorf("mint credentials: %w", err)
	}
	return jwt.FormatUserConfig(token, seed)
}

func (a *Authority) accountKey() string { s, _ := a.account.PublicKey(); return s }

// sign issues a user JWT. The name and the node tag are what the permission
// template is filled with.
func sign(signer nkeys.KeyPair, account string, role Role, user bus.User, public string) (string, error) {
	if !nkeys.IsValidPublicUserKey(public) {
		return "", fmt.Errorf("sign %s: %q is not a user's public key", user, public)
	}
	uc := jwt.NewUserClaims(public)
	uc.Name = user.Token()
	uc.IssuerAccount = account
	uc.SetScoped(true)
	if n, isNode := user.Node(); isNode != (role == RoleNode) {
		return "", fmt.Errorf("sign %s: role %s does not fit the user's name", user, role)
	} else if isNode {
		uc.Tags.Add("node:" + bus.Escape(string(n), false))
	}
	token, err := uc.Encode(signer)
	if err != nil {
		return "", fmt.Errorf("sign %s: %w", user, err)
	}
	return token, nil
}

// UserOf reads from a credentials file whose it is. It verifies nothing: the server does.
func UserOf(credentials []byte) (bus.User, error) {
	token, err := jwt.ParseDecoratedJWT(credentials)
	if err != nil {
		return "", fmt.Errorf("read credentials: %w", err)
	}
	uc, err := jwt.DecodeUserClaims(token)
	if err != nil {
		return "", fmt.Errorf("read credentials: %w", err)
	}
	name, err := bus.Unescape(uc.Name)
	if err != nil {
		return "", fmt.Errorf("read credentials: %w", err)
	}
	return bus.User(name), nil
}

// NodeSigner is the part of the authority that can only mint node credentials: what
// the apiserver holds to answer join requests.
type NodeSigner struct {
	signer  nkeys.KeyPair
	account string
}

// NodeSigner returns the signer for nodes.
func (a *Authority) NodeSigner() (*NodeSigner, error) {
	if a.signers[RoleNode] == nil {
		return nil, errors.New("the authority has no signing key for nodes")
	}
	return &NodeSigner{signer: a.signers[RoleNode], account: a.accountKey()}, nil
}

// Sign returns credentials' JWT for a node whose own public key is userKey: the
// node's seed never leaves the node.
func (s *NodeSigner) Sign(name schemas.NodeName, userKey string) (token string, err error) {
	return sign(s.signer, s.account, RoleNode, bus.NodeUser(name), userKey)
}

// NewNodeKey makes a node's own key pair for a join request: the public key to
// send, and a function that makes the credentials file of the JWT that comes back.
func NewNodeKey() (public string, credentials func(token string) ([]byte, error), err error) {
	kp, err := nkeys.CreateUser()
	if err != nil {
		return "", nil, fmt.Errorf("make node key: %w", err)
	}
	if public, err = kp.PublicKey(); err != nil {
		return "", nil, fmt.Errorf("make node key: %w", err)
	}
	return public, func(token string) ([]byte, error) {
		seed, err := kp.Seed()
		if err != nil {
			return nil, fmt.Errorf("read node key: %w", err)
		}
		return jwt.FormatUserConfig(token, seed)
	}, nil
}
