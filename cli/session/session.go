// Package session is what every command is given: the process's surroundings
// (streams, environment, terminal) and, once asked for, the connection to the cluster.
//
// It reads the configuration file and writes nothing. What always holds: commands
// touch the process only through it, so they run in-process in tests.
package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/alecthomas/kong"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/bus/identity"
	"github.com/skerry/skerry/cli/config"
	"github.com/skerry/skerry/cli/failure"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/kinds"
)

// Env is the process as a command may see it.
type Env struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Getenv returns an environment variable, "" if it is not set.
	Getenv func(string) string
	// Dir is the folder that relative paths start from.
	Dir string
	// ConfigDir is the user's folder for configuration.
	ConfigDir string
	// Terminal is nil when stdout is not one.
	Terminal Terminal
	Now      func() time.Time
	// Executable and Args are this binary and its command line, for `up --detach`.
	Executable string
	Args       []string
	// Version is this binary's.
	Version string
}

// Terminal is the terminal that stdin and stdout are.
type Terminal interface {
	// Size returns columns and rows.
	Size() (width, height int)
	// Raw makes the terminal pass every key on until restore is called.
	Raw() (restore func(), err error)
	// Resized sends whenever the size has changed, until ctx ends.
	Resized(ctx context.Context) <-chan struct{}
}

// Globals are the flags that every command has.
type Globals struct {
	Namespace string `short:"n" help:"Namespace of the request." placeholder:"NAME" group:"global"`
	Context   string `help:"Context of the configuration file to use." placeholder:"NAME" group:"global"`
	Config    string `help:"Configuration file (default: $$SKERRY_CONFIG, or skerry/config.yaml in the user's configuration folder)." placeholder:"FILE" group:"global"`
	Server    string `short:"s" help:"URL of the bus, instead of the context's." placeholder:"URL" group:"global"`
	Creds     string `help:"NATS credentials file, instead of the context's." placeholder:"FILE" group:"global"`
	User      string `help:"User that the credentials are for, instead of the context's." placeholder:"NAME" group:"global"`
	TLSCA     string `name:"tls-ca" help:"PEM file with the authorities to trust for TLS." placeholder:"FILE" group:"global"`
}

// Session is one run of one command.
type Session struct {
	Env
	Globals Globals
	Table   *schemas.Table
	// Model is the command line, for completion.
	Model *kong.Application

	conn    *bus.Conn
	client  *api.Client
	learned bool
}

// New returns a session; it does no I/O.
func New(env Env, g Globals) *Session {
	return &Session{Env: env, Globals: g, Table: kinds.Table().Clone()}
}

// Path makes a path that the user gave absolute.
func (s *Session) Path(p string) string {
	if filepath.IsAbs(p) || s.Dir == "" {
		return p
	}
	return filepath.Join(s.Dir, p)
}

// Printf writes to stdout.
func (s *Session) Printf(format string, args ...any) { fmt.Fprintf(s.Stdout, format, args...) }

// Warnf writes a line "Warning: …" to stderr.
func (s *Session) Warnf(format string, args ...any) {
	fmt.Fprintf(s.Stderr, "Warning: "+format+"\n", args...)
}

// ConfigPath is where the configuration file is.
func (s *Session) ConfigPath() (string, error) {
	switch {
	case s.Globals.Config != "":
		return s.Path(s.Globals.Config), nil
	case s.Getenv("SKERRY_CONFIG") != "":
		return s.Path(s.Getenv("SKERRY_CONFIG")), nil
	case s.ConfigDir == "":
		return "", errors.New("find configuration: neither SKERRY_CONFIG nor HOME is set")
	}
	return filepath.Join(s.ConfigDir, "skerry", "config.yaml"), nil
}

// Cluster returns the context to use, with the flags' overrides.
func (s *Session) Cluster() (config.Context, error) {
	var c config.Context
	path, err := s.ConfigPath()
	if err != nil && s.Globals.Server == "" {
		return c, err
	}
	f, err := config.Load(path)
	if err != nil {
		return c, err
	}
	name := s.Globals.Context
	if name == "" {
		name = f.CurrentContext
	}
	if found := f.Find(name); found != nil {
		c = *found
	} else if s.Globals.Context != "" {
		return c, fmt.Errorf("context %q does not exist; `skerry config get-contexts` lists those in %s", name, path)
	}
	s.override(&c)
	if c.Server == "" {
		return c, fmt.Errorf("no cluster is configured in %s: %w", path, bus.ErrUnreachable)
	}
	return c, nil
}

func (s *Session) override(c *config.Context) {
	g := s.Globals
	if g.Server != "" {
		c.Server = g.Server
	}
	if g.Creds != "" {
		// Whose they are is in them, and not what the context says of others.
		c.Credentials, c.CredentialsData, c.User = s.Path(g.Creds), "", ""
	}
	if g.User != "" {
		c.User = g.User
	}
	if g.TLSCA != "" {
		c.CA, c.CAData = s.Path(g.TLSCA), ""
	}
}

// Namespace is the namespace of the request: the flag's, the context's or "default".
func (s *Session) Namespace() schemas.Namespace {
	if s.Globals.Namespace != "" {
		return schemas.Namespace(s.Globals.Namespace)
	}
	if c, err := s.Cluster(); err == nil && c.Namespace != "" {
		return schemas.Namespace(c.Namespace)
	}
	return "default"
}

// Conn connects to the bus, once.
func (s *Session) Conn(ctx context.Context) (*bus.Conn, error) {
	if s.conn != nil {
		return s.conn, nil
	}
	c, err := s.Cluster()
	if err != nil {
		return nil, err
	}
	creds, err := c.Creds()
	if err != nil {
		return nil, err
	}
	tls, err := c.TLS()
	if err != nil {
		return nil, err
	}
	user := bus.User(c.User)
	switch {
	case user == "" && len(creds) == 0:
		user = "admin" // a bus that asks for no credentials
	case user == "":
		if user, err = identity.UserOf(creds); err != nil {
			return nil, err
		}
	}
	conn, err := bus.Connect(ctx, bus.Options{URL: c.Server, User: user, Creds: creds, TLS: tls, Name: "skerry-cli"})
	if err != nil {
		return nil, err
	}
	s.conn = conn
	return conn, nil
}

// Client returns a client of the cluster's apiserver, connecting if need be.
func (s *Session) Client(ctx context.Context) (*api.Client, error) {
	if s.client != nil {
		return s.client, nil
	}
	conn, err := s.Conn(ctx)
	if err != nil {
		return nil, err
	}
	s.client = api.NewClient(conn, s.Table)
	return s.client, nil
}

// Close closes the connection, if there is one.
func (s *Session) Close() {
	if s.conn != nil {
		s.conn.Close()
	}
}

// Kind returns the kind that a user means by arg, or kubectl's error.
func (s *Session) Kind(arg string) (*schemas.Kind, error) {
	if k := s.Table.Find(arg); k != nil {
		return k, nil
	}
	return nil, fmt.Errorf("the server doesn't have a resource type %q; `skerry api-resources` lists those it has", arg)
}

// Within bounds ctx by a --timeout flag, where 0 is no bound, and makes running
// out of it the error that ends with the exit code for it.
func Within(ctx context.Context, d time.Duration, f func(context.Context) error) error {
	if d <= 0 {
		return f(ctx)
	}
	inner, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	err := f(inner)
	switch {
	case err == nil || inner.Err() == nil || ctx.Err() != nil:
		return err
	case errors.Is(err, context.DeadlineExceeded) || errors.Is(err, failure.ErrTimeout):
		return failure.ErrTimeout
	}
	return fmt.Errorf("%w: %w", failure.ErrTimeout, err)
}
