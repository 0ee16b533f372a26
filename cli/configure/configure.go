// Package configure is `skerry config`: the contexts of the configuration file.
//
// It reads and writes that file only. What always holds: secrets are printed only when
// asked for by --raw.
package configure

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/skerry/skerry/cli/config"
	"github.com/skerry/skerry/cli/output"
	"github.com/skerry/skerry/cli/session"
)

// Command is `skerry config`.
type Command struct {
	GetContexts    GetContexts    `cmd:"" help:"List the contexts."`
	CurrentContext CurrentContext `cmd:"" help:"Print the context that is used."`
	UseContext     UseContext     `cmd:"" help:"Use another context from now on."`
	SetContext     SetContext     `cmd:"" help:"Make or change a context."`
	DeleteContext  DeleteContext  `cmd:"" help:"Remove a context."`
	View           View           `cmd:"" help:"Print the configuration file, without secrets."`
}

func load(s *session.Session) (*config.File, string, error) {
	path, err := s.ConfigPath()
	if err != nil {
		return nil, "", err
	}
	f, err := config.Load(path)
	return f, path, err
}

// GetContexts is `skerry config get-contexts`.
type GetContexts struct {
	Output    string `short:"o" help:"name: print only names." enum:",name" default:"" placeholder:"FORMAT"`
	NoHeaders bool   `help:"No header line."`
}

// Run implements the command.
func (c *GetContexts) Run(s *session.Session) error {
	f, _, err := load(s)
	if err != nil {
		return err
	}
	var rows [][]string
	if !c.NoHeaders && c.Output == "" {
		rows = append(rows, []string{"CURRENT", "NAME", "CLUSTER", "AUTHINFO", "NAMESPACE"})
	}
	for _, ctx := range f.Contexts {
		if c.Output == "name" {
			s.Printf("%s\n", ctx.Name)
			continue
		}
		current := ""
		if ctx.Name == f.CurrentContext {
			current = "*"
		}
		rows = append(rows, []string{current, ctx.Name, ctx.Server, ctx.User, ctx.Namespace})
	}
	return output.NewTable(s.Stdout).Write(rows...)
}

// CurrentContext is `skerry config current-context`.
type CurrentContext struct{}

// Run implements the command.
func (c *CurrentContext) Run(s *session.Session) error {
	f, _, err := load(s)
	if err != nil {
		return err
	}
	if f.CurrentContext == "" {
		return fmt.Errorf("current-context is not set; choose one with `skerry config use-context NAME`")
	}
	s.Printf("%s\n", f.CurrentContext)
	return nil
}

// UseContext is `skerry config use-context`.
type UseContext struct {
	Name string `arg:"" help:"The context."`
}

// Run implements the command.
func (c *UseContext) Run(s *session.Session) error {
	f, path, err := load(s)
	if err != nil {
		return err
	}
	if f.Find(c.Name) == nil {
		return fmt.Errorf("no context exists with the name: %q; `skerry config get-contexts` lists them", c.Name)
	}
	f.CurrentContext = c.Name
	if err := f.Save(path); err != nil {
		return err
	}
	s.Printf("Switched to context %q.\n", c.Name)
	return nil
}

// SetContext is `skerry config set-context`. What it sets comes from the flags that
// every command has: --server, --user, --creds, --tls-ca and --namespace.
type SetContext struct {
	Name    string `arg:"" optional:"" help:"The context, made if it is not there."`
	Current bool   `help:"Change the context that is used."`
}

// Run implements the command.
func (c *SetContext) Run(s *session.Session) error {
	f, path, err := load(s)
	if err != nil {
		return err
	}
	name := c.Name
	if c.Current {
		name = f.CurrentContext
	}
	if name == "" {
		return fmt.Errorf("name a context, or use --current after `skerry config use-context`")
	}
	ctx, said := config.Context{Name: name}, "created"
	if old := f.Find(name); old != nil {
		ctx, said = *old, "modified"
	}
	g := s.Globals
	if g.Server != "" {
		ctx.Server = g.Server
	}
	if g.User != "" {
		ctx.User = g.User
	}
	if g.Creds != "" {
		ctx.Credentials, ctx.CredentialsData = s.Path(g.Creds), ""
	}
	if g.TLSCA != "" {
		ctx.CA, ctx.CAData = s.Path(g.TLSCA), ""
	}
	if g.Namespace != "" {
		ctx.Namespace = g.Namespace
	}
	f.Set(ctx)
	if err := f.Save(path); err != nil {
		return err
	}
	s.Printf("Context %q %s.\n", name, said)
	return nil
}

// DeleteContext is `skerry config delete-context`.
type DeleteContext struct {
	Name string `arg:"" help:"The context."`
}

// Run implements the command.
func (c *DeleteContext) Run(s *session.Session) error {
	f, path, err := load(s)
	if err != nil {
		return err
	}
	if f.Find(c.Name) == nil {
		return fmt.Errorf("cannot delete context %s, not in %s", c.Name, path)
	}
	f.Remove(c.Name)
	if err := f.Save(path); err != nil {
		return err
	}
	s.Printf("deleted context %s from %s\n", c.Name, path)
	return nil
}

// View is `skerry config view`.
type View struct {
	Raw    bool `help:"Print secrets too."`
	Minify bool `help:"Only the context that is used."`
}

// Run implements the command.
func (c *View) Run(s *session.Session) error {
	f, _, err := load(s)
	if err != nil {
		return err
	}
	shown := config.File{CurrentContext: f.CurrentContext}
	if s.Globals.Context != "" {
		shown.CurrentContext = s.Globals.Context
	}
	for _, ctx := range f.Contexts {
		if c.Minify && ctx.Name != shown.CurrentContext {
			continue
		}
		if ctx.CredentialsData != "" && !c.Raw {
			ctx.CredentialsData = "REDACTED"
		}
		shown.Contexts = append(shown.Contexts, ctx)
	}
	b, err := yaml.Marshal(shown)
	if err != nil {
		return fmt.Errorf("print configuration: %w", err)
	}
	s.Printf("%s\n", strings.TrimSuffix(string(b), "\n"))
	return nil
}
