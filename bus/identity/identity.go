// Package identity makes the bus's keys and credentials: one operator, one account,
// and one scoped signing key per role, whose permission template is that role's row
// of the writers' table.
//
// What always holds: a role's permissions live in its signing key, in the account
// that the server enforces; whoever holds credentials can do that and no more.
package identity

import (
	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/schemas"
)

// Role is a row of the writers' table.
type Role string

const (
	RoleAPIServer  Role = "apiserver"
	RoleController Role = "controller"
	RoleScheduler  Role = "scheduler"
	RoleNode       Role = "node"  // an agent
	RoleAdmin      Role = "admin" // a person with the CLI
	RoleJoin       Role = "join"  // may only ask to join
)

// Authority holds the seeds. It is what `skerry up` keeps under its data directory.
type Authority struct{}

// Load reads the authority from dir, creating it there (mode 0700, files 0600,
// written atomically) if it is not there yet.
func Load(dir string) (*Authority, error) { panic("skeleton") }

// ServerConfig returns what an embedded server needs: trusted operator JWT, account
// JWTs and the system account's public key.
func (a *Authority) ServerConfig() ServerConfig { panic("skeleton") }

// ServerConfig is the public half, for a NATS server's operator mode with a memory resolver.
type ServerConfig struct {
	OperatorJWT   string
	SystemAccount string            // public key
	Accounts      map[string]string // public key → account JWT
}

// Credentials mints a credentials file for user in role. For RoleNode, user must be
// bus.NodeUser(name); the template limits it to that node.
func (a *Authority) Credentials(role Role, user bus.User) ([]byte, error) { panic("skeleton") }

// NodeSigner is the part of the authority that can only mint node credentials: what
// the apiserver holds to answer join requests.
type NodeSigner struct{}

// NodeSigner returns the signer for nodes; its Seed is given to the apiserver.
func (a *Authority) NodeSigner() (*NodeSigner, error) { panic("skeleton") }

// Sign returns credentials' JWT for a node whose own public key is userKey: the
// node's seed never leaves the node.
func (s *NodeSigner) Sign(node schemas.NodeName, userKey string) (jwt string, err error) {
	panic("skeleton")
}
