// Package replace is `skerry replace`: objects that become exactly as manifests say.
//
// It reads files and writes whole objects through the apiserver; with --force it deletes and
// makes them anew. What always holds: without --force an object that is not there is an
// error, and who wrote between the look and the replacement is not overwritten in silence.
package replace

import (
	"context"
	"errors"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/cli/apply"
	"github.com/skerry/skerry/cli/failure"
	"github.com/skerry/skerry/cli/manifest"
	"github.com/skerry/skerry/cli/output"
	"github.com/skerry/skerry/cli/remove"
	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/cli/target"
	"github.com/skerry/skerry/schemas"
)

// Command is `skerry replace`.
type Command struct {
	manifest.Flags
	Force       bool            `help:"Delete the objects and make them anew."`
	GracePeriod int64           `help:"With --force: seconds that a pod has to stop; -1 is the pod's own." default:"-1" placeholder:"SECONDS"`
	Timeout     time.Duration   `help:"With --force: how long to wait until the objects are gone; 0 is as long as it takes." default:"0s" placeholder:"DURATION"`
	Cascade     session.Cascade `help:"With --force: what becomes of owned objects: background, foreground or orphan." default:"background" placeholder:"MODE"`
	Subresource string          `help:"Replace this part of the objects: status or scale." placeholder:"NAME"`
	SaveConfig  bool            `help:"Note the manifest in the object, for later applies."`
	Output      string          `short:"o" help:"Print the object: name, yaml, json, jsonpath=…" placeholder:"FORMAT"`
	DryRun      session.DryRun  `help:"client: only say; server: send without storing." placeholder:"MODE"`
}

// Run implements the command.
func (c *Command) Run(ctx context.Context, s *session.Session) error {
	if err := c.check(); err != nil {
		return err
	}
	format, err := output.Parse(c.Output)
	if err != nil {
		return err
	}
	docs, err := manifest.Read(ctx, s, c.Flags)
	if err != nil {
		return err
	}
	manifest.Warn(s, docs)
	client, err := s.Client(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, d := range docs {
		if err := c.one(ctx, s, client, d, format); err != nil {
			errs = append(errs, failure.FromFile(d.Locate(err), "replacing", d.File))
		}
	}
	return errors.Join(errs...)
}

func (c *Command) check() error {
	switch {
	case len(c.Filename) == 0:
		return failure.Usage("must specify a manifest with -f")
	case c.GracePeriod >= 0 && !c.Force:
		return failure.Usage("--grace-period must have --force specified")
	case c.Timeout != 0 && !c.Force:
		return failure.Usage("--timeout must have --force specified")
	case c.Force && c.DryRun != session.DryRunNone:
		return failure.Usage("--dry-run can not be used when --force is set")
	case c.Force && c.Subresource != "":
		return failure.Usage("--subresource can not be used with --force")
	}
	return nil
}

func (c *Command) one(ctx context.Context, s *session.Session, client *api.Client, d manifest.Document, format output.Format) error {
	content := d.Content
	if c.SaveConfig {
		var err error
		if content, err = apply.Annotated(content); err != nil {
			return err
		}
	}
	ref := schemas.RefOf(d.Kind.Resource, d.Object)
	r := &api.Request{Verb: api.VerbUpdate, Resource: ref.Resource, Namespace: ref.Namespace, Name: ref.Name, Subresource: c.Subresource,
		FieldValidation: "Strict", DryRun: c.DryRun == session.DryRunServer}
	after := target.Found{Kind: d.Kind, Object: d.Object}
	now, err := client.Get(ctx, ref)
	switch {
	case c.Force:
		r.Verb = api.VerbCreate
		if err == nil {
			err = c.clear(ctx, s, client, target.Found{Kind: d.Kind, Object: now})
		} else if apierrors.IsNotFound(err) {
			err = nil
		}
	case err == nil:
		content = atVersion(content, now.GetResourceVersion())
	}
	if err != nil {
		return err
	}
	if c.DryRun != session.DryRunClient {
		reply, err := session.Ask(ctx, client, r, content)
		if err != nil {
			return err
		}
		for _, w := range reply.Warnings {
			s.Warnf("%s", w)
		}
		if c.Subresource != "scale" {
			if after.Object, err = session.Decode(d.Kind, reply.Body); err != nil {
				return err
			}
		}
	}
	if format.Kind != "" {
		return format.Print(s.Stdout, []target.Found{after}, false)
	}
	s.Printf("%s replaced%s\n", after.Label(), c.DryRun.Suffix())
	return nil
}

// clear deletes o and waits until it is gone: a grace period of 0 is one second, as in kubectl.
func (c *Command) clear(ctx context.Context, s *session.Session, client *api.Client, o target.Found) error {
	old := remove.Command{Cascade: c.Cascade, GracePeriod: c.GracePeriod, Wait: true, Timeout: c.Timeout, IgnoreNotFound: true}
	if old.GracePeriod == 0 {
		old.GracePeriod = 1
	}
	return old.Remove(ctx, s, client, o)
}

// atVersion is content at the version that was read, unless it names one itself.
func atVersion(content map[string]any, version string) map[string]any {
	u := (&unstructured.Unstructured{Object: content}).DeepCopy()
	if u.GetResourceVersion() == "" {
		u.SetResourceVersion(version)
	}
	return u.Object
}
