package main

import (
	"context"
	"errors"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/skerry/skerry/cli/about"
	"github.com/skerry/skerry/cli/apply"
	"github.com/skerry/skerry/cli/attach"
	"github.com/skerry/skerry/cli/auth"
	"github.com/skerry/skerry/cli/complete"
	"github.com/skerry/skerry/cli/copy"
	"github.com/skerry/skerry/cli/create"
	"github.com/skerry/skerry/cli/debug"
	"github.com/skerry/skerry/cli/describe"
	"github.com/skerry/skerry/cli/edit"
	"github.com/skerry/skerry/cli/event"
	"github.com/skerry/skerry/cli/exec"
	"github.com/skerry/skerry/cli/expose"
	"github.com/skerry/skerry/cli/failure"
	"github.com/skerry/skerry/cli/forward"
	"github.com/skerry/skerry/cli/get"
	"github.com/skerry/skerry/cli/label"
	"github.com/skerry/skerry/cli/launch"
	"github.com/skerry/skerry/cli/logs"
	"github.com/skerry/skerry/cli/node"
	"github.com/skerry/skerry/cli/patch"
	"github.com/skerry/skerry/cli/remove"
	"github.com/skerry/skerry/cli/replace"
	"github.com/skerry/skerry/cli/rollout"
	"github.com/skerry/skerry/cli/scale"
	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/cli/set"
	"github.com/skerry/skerry/cli/top"
	"github.com/skerry/skerry/cli/wait"
	"github.com/skerry/skerry/cli/why"
)

// root is the command line: every command, in the order of the help.
type root struct {
	session.Globals
	hostCommands

	Apply    apply.Command    `cmd:"" group:"objects" help:"Make objects as manifests say."`
	Create   create.Command   `cmd:"" group:"objects" help:"Make new objects from manifests or flags."`
	Get      get.Command      `cmd:"" group:"objects" help:"Show objects."`
	Describe describe.Command `cmd:"" group:"objects" help:"Show everything about objects, with their events."`
	Events   event.Command    `cmd:"" group:"objects" help:"Show what happened."`
	Expose   expose.Command   `cmd:"" group:"objects" help:"Make a service for pods that there are already."`
	Edit     edit.Command     `cmd:"" group:"objects" help:"Change an object in an editor."`
	Patch    patch.Command    `cmd:"" group:"objects" help:"Change fields of an object."`
	Replace  replace.Command  `cmd:"" group:"objects" help:"Make objects exactly what manifests say."`
	Set      set.Command      `cmd:"" group:"objects" help:"Set images, environment, resources and accounts."`
	Label    label.Label      `cmd:"" group:"objects" help:"Set and remove labels."`
	Annotate label.Annotate   `cmd:"" group:"objects" help:"Set and remove annotations."`
	Diff     apply.Diff       `cmd:"" group:"objects" help:"Show what apply would change."`
	Wait     wait.Command     `cmd:"" group:"objects" help:"Wait until objects come to a state."`
	Delete   remove.Command   `cmd:"" group:"objects" help:"Delete objects."`

	Start   launch.Command  `cmd:"" name:"run" group:"workloads" help:"Run an image in a pod."`
	Rollout rollout.Command `cmd:"" group:"workloads" help:"Follow, pause and undo changes."`
	Scale   scale.Command   `cmd:"" group:"workloads" help:"Set how many replicas there are."`
	Logs    logs.Command    `cmd:"" group:"workloads" help:"Show what containers wrote."`
	Why     why.Command     `cmd:"" group:"workloads" help:"Tell why a pod is on its node, or on none, and what would change that."`
	Exec    exec.Command    `cmd:"" group:"workloads" help:"Run a command in a container."`
	Attach  attach.Command  `cmd:"" group:"workloads" help:"Join the streams of a container's own process."`
	Forward forward.Command `cmd:"" name:"port-forward" group:"workloads" help:"Lead local ports into a pod."`
	Debug   debug.Command   `cmd:"" group:"workloads" help:"Look into a pod, a copy of it or a node with a container of its own."`
	Copy    copy.Command    `cmd:"" name:"cp" group:"workloads" help:"Copy files to and from a container."`

	Top      top.Command   `cmd:"" group:"nodes" help:"Show what nodes and pods use."`
	Cordon   node.Cordon   `cmd:"" group:"nodes" help:"Let a node take no new pods."`
	Uncordon node.Uncordon `cmd:"" group:"nodes" help:"Let a node take pods again."`
	Taint    node.Taint    `cmd:"" group:"nodes" help:"Keep pods off nodes that do not tolerate it."`
	Drain    node.Drain    `cmd:"" group:"nodes" help:"Move the pods of a node elsewhere."`

	Auth         auth.Command    `cmd:"" group:"other" help:"Who you are, and what you may do."`
	Explain      about.Explain   `cmd:"" group:"other" help:"Describe a kind and its fields."`
	APIResources about.Resources `cmd:"" name:"api-resources" group:"other" help:"List the kinds."`
	ClusterInfo  about.Cluster   `cmd:"" name:"cluster-info" group:"other" help:"Tell where the cluster and its services are."`
	Config       config          `cmd:"" group:"other" help:"Which clusters there are, and which one is meant."`
	Completion   complete.Script `cmd:"" group:"other" help:"Print a shell's completion script."`
	Version      about.Version   `cmd:"" group:"other" help:"Print the version."`

	Complete complete.Words `cmd:"" name:"__complete" hidden:""`
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
	parsed, err := parser.Parse(arrange(parser.Model, args))
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
