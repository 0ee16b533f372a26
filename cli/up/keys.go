//go:build linux

package up

import (
	"fmt"
	"maps"
	"slices"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/identity"
	"github.com/skerry/skerry/bus/server"
	"github.com/skerry/skerry/cli/config"
	"github.com/skerry/skerry/cli/failure"
	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/schemas"
)

// Creds is `skerry config creds`.
type Creds struct {
	DataDir string `help:"Folder of the cluster, with its keys (default: as for up)." placeholder:"DIR"`
	Role    string `help:"apiserver, controller, scheduler, gateway, node, admin or user." enum:"apiserver,controller,scheduler,gateway,node,admin,user" required:"" placeholder:"ROLE"`
	Node    string `help:"With --role node: the node's name." placeholder:"NAME"`
	Out     string `short:"o" name:"out" help:"File to write (default: stdout)." placeholder:"FILE"`
}

// Run implements the command.
func (c *Creds) Run(s *session.Session) error {
	a, err := identity.Load(resolve(s, c.DataDir).authority())
	if err != nil {
		return err
	}
	user := bus.User("system:" + c.Role)
	switch {
	case c.Role == "admin":
		user = "admin"
	case c.Role == "user":
		user = ""
	case c.Role == "node" && c.Node == "":
		return fmt.Errorf("--role node needs --node NAME: credentials are for one node")
	case c.Role == "node":
		user = bus.NodeUser(schemas.NodeName(c.Node))
	}
	if s.Globals.User != "" {
		user = bus.User(s.Globals.User)
	}
	if user == "" {
		return failure.Usage("--role user needs --user NAME: whom roles are given to")
	}
	creds, err := a.Credentials(identity.Role(c.Role), user)
	if err != nil {
		return err
	}
	if c.Out == "" {
		s.Printf("%s", creds)
		return nil
	}
	if err := config.WriteFile(s.Path(c.Out), creds); err != nil {
		return fmt.Errorf("write credentials: %w", err)
	}
	s.Printf("credentials of %s written to %s\n", user, c.Out)
	return nil
}

// Token is `skerry config token`.
type Token struct {
	DataDir string `help:"Folder of the cluster, with its keys (default: as for up)." placeholder:"DIR"`
}

// Run implements the command.
func (c *Token) Run(s *session.Session) error {
	a, err := identity.Load(resolve(s, c.DataDir).authority())
	if err != nil {
		return err
	}
	t, err := joinToken(a, readCA(s))
	if err != nil {
		return err
	}
	s.Printf("%s\n", t)
	return nil
}

// readCA is the authority that the current context trusts, for hosts to trust as well.
func readCA(s *session.Session) string {
	c, err := s.Cluster()
	if err != nil {
		return ""
	}
	return c.CAData
}

// ServerConfig is `skerry config nats`.
type ServerConfig struct {
	DataDir string `help:"Folder of the cluster, with its keys (default: as for up)." placeholder:"DIR"`
}

// Run implements the command.
func (c *ServerConfig) Run(s *session.Session) error {
	a, err := identity.Load(resolve(s, c.DataDir).authority())
	if err != nil {
		return err
	}
	conf := a.ServerConfig()
	s.Printf("# What a NATS server needs to be the bus of this cluster, beside listen and store_dir.\n")
	s.Printf("operator: %s\nsystem_account: %s\nresolver: MEMORY\nresolver_preload: {\n", conf.OperatorJWT, conf.SystemAccount)
	for _, key := range slices.Sorted(maps.Keys(conf.Accounts)) {
		s.Printf("  %s: %s\n", key, conf.Accounts[key])
	}
	s.Printf("}\nmax_payload: %d\njetstream: { sync_interval: always, limits: { batch: { max_msgs: %d } } }\n", server.MaxPayload, bus.MaxBatch)
	return nil
}
