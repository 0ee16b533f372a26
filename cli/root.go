package main

import (
	"context"
	"errors"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/skerry/skerry/cli/apply"
	"github.com/skerry/skerry/cli/describe"
	"github.com/skerry/skerry/cli/failure"
	"github.com/skerry/skerry/cli/get"
	"github.com/skerry/skerry/cli/remove"
	"github.com/skerry/skerry/cli/rollout"
	"github.com/skerry/skerry/cli/session"
)

// root is the command line: every command, in the order of the help.
type root struct {
	session.Globals
	hostCommands

	Apply    apply.Command    `cmd:"" group:"objects" help:"Make objects as manifests say."`
	Get      get.Command      `cmd:"" group:"objects" help:"Show objects."`
	Describe describe.Command `cmd:"" group:"objects" help:"Show everything about objects, with their events."`
	Delete   remove.Command   `cmd:"" group:"objects" help:"Delete objects."`

	Rollout rollout.Command `cmd:"" group:"workloads" help:"Follow, pause and undo changes."`

	Config config `cmd:"" group:"other" help:"Which clusters there are, and which one is meant."`
}

var groups = []kong.Group{
	{Key: "cluster", Title: "The cluster:"},
	{Key: "objects", Title: "Objects:"},
	{Key: "workloads", Title: "Workloads:"},
	{Key: "nodes", Title: "Nodes:"},
	{Key: "other", Title: "Other:"},
	{Key: "global", Title: "Flags of every command:"},
}

const description = "Kubernetes manifests on plain Podman hosts."

// exited is what kong's own ending (after --help) becomes: nothing may end the
// process but main.
type exited int

func newParser(env session.Env, cli *root) (*kong.Kong, error) {
	return kong.New(cli,
		kong.Name("skerry"), kong.Description(description),
		kong.Writers(env.Stdout, env.Stderr),
		kong.Exit(func(code int) { panic(exited(code)) }),
		kong.ExplicitGroups(groups),
		kong.Vars{"loglevel": "warn"},
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true, WrapUpperBound: 100}),
	)
}

// execute parses args and runs the command that they name.
func execute(ctx context.Context, env session.Env, args []string) (err error) {
	cli := &root{}
	parser, err := newParser(env, cli)
	if err != nil {
		return err
	}
	defer func() {
		switch p := recover().(type) {
		case nil:
		case exited:
			err = failure.Exit(p)
		default:
			panic(p)
		}
	}()
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(normalise(args))
	if err != nil {
		return usageError(err)
	}
	s := session.New(env, cli.Globals)
	s.Model = parser.Model
	defer s.Close()
	parsed.BindTo(ctx, (*context.Context)(nil))
	return parsed.Run(s)
}

// usageError points to the help of the command that was meant.
func usageError(err error) error {
	name := "skerry"
	var parse *kong.ParseError
	if errors.As(err, &parse) && parse.Context != nil {
		command, _, _ := strings.Cut(parse.Context.Command(), " <")
		name = strings.TrimSpace(name + " " + command)
	}
	return failure.Usage("%w\nSee `%s --help`.", err, name)
}

// normalise rewrites the forms of kubectl that kong does not know: "-o=yaml" is "-oyaml".
// What follows "--" belongs to the command in the container.
func normalise(args []string) []string {
	out := make([]string, 0, len(args))
	for i, a := range args {
		if a == "--" {
			return append(out, args[i:]...)
		}
		if len(a) > 3 && a[0] == '-' && a[1] != '-' && a[2] == '=' {
			a = a[:2] + a[3:]
		}
		out = append(out, a)
	}
	return out
}
