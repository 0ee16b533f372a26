// Package apply is `skerry apply`, and its sisters create and diff: it brings the
// cluster to what manifests say.
//
// It reads manifests and the live objects, and writes objects through the apiserver. What
// always holds: nothing is sent while any document of any file has an error, and
// fields that others set stay as they are (a three-way merge).
package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/cli/failure"
	"github.com/skerry/skerry/cli/manifest"
	"github.com/skerry/skerry/cli/output"
	"github.com/skerry/skerry/cli/rollout"
	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/cli/target"
	"github.com/skerry/skerry/schemas"
)

// Command is `skerry apply`.
type Command struct {
	manifest.Flags
	Selector       string         `short:"l" help:"Only documents whose labels match." placeholder:"LABELS"`
	ServerSide     bool           `help:"Let the server merge and keep track of who owns which field."`
	ForceConflicts bool           `help:"With --server-side: take over fields that others own."`
	FieldManager   string         `help:"Who owns the fields." placeholder:"NAME"`
	Prune          bool           `help:"Delete objects that were applied before and are no longer in the manifests. Needs --selector or --all."`
	All            bool           `help:"With --prune: everything in the manifests' namespaces."`
	DryRun         session.DryRun `help:"client: only say; server: send without storing." placeholder:"MODE"`
	Place          bool           `help:"With --dry-run=server: tell where the pods would go."`
	Output         string         `short:"o" help:"yaml, json, name, jsonpath=…: print the objects." placeholder:"FORMAT"`
	Wait           bool           `help:"Wait until what was applied has rolled out."`
	Timeout        time.Duration  `help:"With --wait: give up after this long; 0 is never." default:"0s" placeholder:"DURATION"`
}

// Run implements the command.
func (c *Command) Run(ctx context.Context, s *session.Session) error {
	format, err := c.check()
	if err != nil {
		return err
	}
	docs, err := manifest.Read(ctx, s, c.Flags)
	if err != nil {
		return err
	}
	if docs, err = manifest.Select(docs, c.Selector); err != nil {
		return err
	}
	manifest.Warn(s, docs)
	client, err := s.Client(ctx)
	if err != nil {
		return err
	}
	a := &applier{Command: c, s: s, client: client, format: format}
	var errs []error
	var applied []target.Found
	for _, d := range ordered(docs) {
		done, err := a.apply(ctx, d)
		if err != nil {
			errs = append(errs, err)
			if fatal(err) {
				return errors.Join(errs...)
			}
			continue
		}
		applied = append(applied, done)
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if c.Place {
		if err := a.place(ctx); err != nil {
			return err
		}
	}
	if c.Prune {
		if err := a.prune(ctx, docs); err != nil {
			return err
		}
	}
	if !c.Wait || c.DryRun != session.DryRunNone {
		return nil
	}
	return session.Within(ctx, c.Timeout, func(ctx context.Context) error { return rollout.Follow(ctx, s, client, applied) })
}

func (c *Command) check() (output.Format, error) {
	switch {
	case len(c.Filename) == 0:
		return output.Format{}, failure.Usage("must specify a manifest with -f: a file, a folder, or - for stdin")
	case c.ForceConflicts && !c.ServerSide:
		return output.Format{}, failure.Usage("--force-conflicts only works with --server-side")
	case c.ServerSide && c.DryRun == session.DryRunClient:
		return output.Format{}, failure.Usage("--dry-run=client doesn't work with --server-side (did you mean --dry-run=server instead?)")
	case c.Place && c.DryRun == session.DryRunNone:
		return output.Format{}, failure.Usage("--place tells where pods would go: it needs --dry-run")
	case c.Prune && c.Selector == "" && !c.All:
		return output.Format{}, failure.Usage("--prune needs a selector with -l, or --all")
	}
	if c.Place {
		c.DryRun = session.DryRunServer // the scheduler is asked
	}
	f, err := output.Parse(c.Output)
	if err == nil && f.IsTable() && f.Kind != "" {
		err = failure.Usage("-o %s is for get; apply prints yaml, json, name or jsonpath=…", c.Output)
	}
	return f, err
}

// ordered puts namespaces first; all else keeps the order of the files.
func ordered(docs []manifest.Document) []manifest.Document {
	out := slices.Clone(docs)
	slices.SortStableFunc(out, func(a, b manifest.Document) int { return rank(a) - rank(b) })
	return out
}

func rank(d manifest.Document) int {
	if d.Kind.Resource == schemas.Namespaces {
		return 0
	}
	return 1
}

// fatal tells whether going on with the next document is pointless.
func fatal(err error) bool {
	code := failure.Code(err)
	return code == failure.CodeUnreachable || code == failure.CodeTimeout || errors.Is(err, context.Canceled)
}

// report prints the success line, or the object as -o asks.
func (a *applier) report(o target.Found, verb string) error {
	if verb != "unchanged" {
		a.changed = append(a.changed, o)
	}
	if a.format.Kind != "" {
		return a.format.Print(a.s.Stdout, []target.Found{o}, false)
	}
	a.s.Printf("%s %s%s\n", o.Label(), verb, a.DryRun.Suffix())
	return nil
}

// applier is one run of apply.
type applier struct {
	*Command
	s      *session.Session
	client *api.Client
	format output.Format
	// changed is what was, or would be, made or changed.
	changed []target.Found
}

// send makes the request, prints its warnings and reads the object that came back. What
// the server finds wrong is located in the manifest.
func (a *applier) send(ctx context.Context, d manifest.Document, r *api.Request) (target.Found, *api.Reply, error) {
	r.Resource, r.Namespace, r.Name = d.Kind.Resource, schemas.Namespace(d.Object.GetNamespace()), schemas.Name(d.Object.GetName())
	r.DryRun = a.DryRun == session.DryRunServer
	reply, err := a.client.Do(ctx, r)
	if err != nil {
		return target.Found{}, nil, d.Locate(err)
	}
	d.WarnServer(a.s, reply.Warnings)
	obj, err := session.Decode(d.Kind, reply.Body)
	if err != nil {
		return target.Found{}, nil, fmt.Errorf("read reply about %s: %w", d.Label(), err)
	}
	return target.Found{Kind: d.Kind, Object: obj}, reply, nil
}
