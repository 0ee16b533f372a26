// Package remove is `skerry delete`.
//
// It deletes objects through the apiserver and waits until they are gone. What always
// holds: without a name, a selector or --all nothing is deleted.
package remove

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/cli/failure"
	"github.com/skerry/skerry/cli/manifest"
	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/cli/target"
)

// Command is `skerry delete`.
type Command struct {
	Args []string `arg:"" optional:"" name:"type" help:"What to delete: a type and names, or type/name."`

	manifest.Flags
	All            bool            `help:"All objects of the type in the namespace."`
	AllNamespaces  bool            `short:"A" help:"With --all or a selector: in all namespaces."`
	Selector       string          `short:"l" help:"Objects whose labels match." placeholder:"LABELS"`
	FieldSelector  string          `help:"Objects whose fields match." placeholder:"FIELDS"`
	GracePeriod    int64           `help:"Seconds that a pod has to stop; -1 is the pod's own." default:"-1" placeholder:"SECONDS"`
	Now            bool            `help:"Give one second to stop."`
	Force          bool            `help:"With --grace-period=0: do not wait for the node to confirm."`
	Cascade        session.Cascade `help:"What becomes of owned objects: background, foreground or orphan." default:"background" placeholder:"MODE"`
	Wait           bool            `help:"Wait until the objects are gone." default:"true" negatable:""`
	Timeout        time.Duration   `help:"Wait no longer than this; 0 is as long as it takes." default:"0s" placeholder:"DURATION"`
	IgnoreNotFound bool            `help:"Objects that are not there are no error."`
	DryRun         session.DryRun  `help:"client: only say; server: send without deleting." placeholder:"MODE"`
	Output         string          `short:"o" help:"name: print only names." enum:",name" default:"" placeholder:"FORMAT"`
	Silent         bool            `kong:"-"`
}

// Run implements the command.
func (c *Command) Run(ctx context.Context, s *session.Session) error {
	if err := c.normalise(s); err != nil {
		return err
	}
	want, err := c.want(ctx, s)
	if err != nil {
		return err
	}
	client, err := s.Client(ctx)
	if err != nil {
		return err
	}
	q := target.Query{Namespace: s.Namespace(), Selector: c.Selector, FieldSelector: c.FieldSelector, IgnoreNotFound: c.ignoreNotFound()}
	if c.AllNamespaces {
		q.Namespace = ""
	}
	found, err := target.Fetch(ctx, client, want, q)
	if err != nil && len(found) == 0 {
		return err
	}
	if len(found) == 0 {
		fmt.Fprintln(s.Stdout, "No resources found")
		return nil
	}
	return errors.Join(err, c.Remove(ctx, s, client, found...))
}

// Remove deletes objects, says so, and waits until they are gone if the flags ask for that.
func (c *Command) Remove(ctx context.Context, s *session.Session, client *api.Client, found ...target.Found) error {
	gone, err := c.delete(ctx, s, client, found)
	if !c.Wait || c.DryRun != session.DryRunNone {
		return err
	}
	return errors.Join(err, session.Within(ctx, c.Timeout, func(ctx context.Context) error { return waitGone(ctx, client, gone) }))
}

func (c *Command) ignoreNotFound() bool {
	return c.IgnoreNotFound || c.All || c.Selector != ""
}

func (c *Command) normalise(s *session.Session) error {
	switch {
	case c.Now && c.GracePeriod != -1:
		return failure.Usage("--now and --grace-period cannot be specified together")
	case c.Now:
		c.GracePeriod = 1
	case c.Force && c.GracePeriod < 0:
		c.GracePeriod = 0
	case c.Force && c.GracePeriod > 0:
		return failure.Usage("--force and --grace-period greater than 0 cannot be specified together")
	case c.GracePeriod == 0 && !c.Force:
		// As in kubectl: 0 without --force is the shortest orderly end.
		c.GracePeriod = 1
	}
	if c.Force {
		s.Warnf("Immediate deletion does not wait for confirmation that the running resource has been terminated. The resource may continue to run on the cluster indefinitely.")
	}
	return nil
}

func (c *Command) want(ctx context.Context, s *session.Session) (target.Want, error) {
	w, err := c.Want(ctx, s, c.Args)
	switch {
	case err != nil:
		return w, err
	case len(w.Kinds) > 0 && !c.All && c.Selector == "" && c.FieldSelector == "":
		return w, failure.Usage("resource(s) were provided, but no name was specified; --all deletes all of them")
	case len(w.Items) > 0 && (c.All || c.Selector != ""):
		return w, failure.Usage("names cannot be given together with --all or a selector")
	}
	return w, nil
}

// delete deletes one after another and returns what it deleted.
func (c *Command) delete(ctx context.Context, s *session.Session, client *api.Client, found []target.Found) ([]target.Found, error) {
	var gone []target.Found
	var errs []error
	for _, o := range found {
		err := c.deleteOne(ctx, client, o)
		if apierrors.IsNotFound(err) && c.ignoreNotFound() {
			continue
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		gone = append(gone, o)
		c.say(s, o)
	}
	return gone, errors.Join(errs...)
}

func (c *Command) deleteOne(ctx context.Context, client *api.Client, o target.Found) error {
	if c.DryRun == session.DryRunClient {
		return nil
	}
	policy := map[session.Cascade]metav1.DeletionPropagation{
		"background": metav1.DeletePropagationBackground,
		"foreground": metav1.DeletePropagationForeground,
		"orphan":     metav1.DeletePropagationOrphan,
	}[c.Cascade]
	options := metav1.DeleteOptions{PropagationPolicy: &policy, Preconditions: &metav1.Preconditions{UID: ptr.To(types.UID(o.Object.GetUID()))}}
	if c.GracePeriod >= 0 {
		options.GracePeriodSeconds = &c.GracePeriod
	}
	if c.DryRun == session.DryRunServer {
		options.DryRun = []string{metav1.DryRunAll}
	}
	return client.Delete(ctx, o.Ref(), options)
}

func (c *Command) say(s *session.Session, o target.Found) {
	if c.Silent {
		return
	}
	if c.Output == "name" {
		s.Printf("%s\n", o.Label())
		return
	}
	verb := "deleted"
	if c.Force && c.GracePeriod == 0 {
		verb = "force deleted"
	}
	where := ""
	if ns := o.Object.GetNamespace(); ns != "" {
		where = fmt.Sprintf(" from %s namespace", ns)
	}
	s.Printf("%s %s%s%s\n", target.Split(o.Kind, o.Object.GetName()), verb, c.DryRun.Suffix(), where)
}
