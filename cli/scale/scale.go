// Package scale is `skerry scale`.
//
// It writes the scale subresource. What always holds: --current-replicas is checked
// against the very version that is replaced.
package scale

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	"k8s.io/client-go/util/retry"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/cli/failure"
	"github.com/skerry/skerry/cli/manifest"
	"github.com/skerry/skerry/cli/rollout"
	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/cli/target"
)

// Command is `skerry scale`.
type Command struct {
	Args []string `arg:"" optional:"" name:"type/name" help:"What to scale: deployment/web."`

	manifest.Flags
	Replicas        int32          `help:"How many replicas there are to be." required:"" placeholder:"N"`
	CurrentReplicas int32          `help:"Only if there are this many now; -1 is any number." default:"-1" placeholder:"N"`
	ResourceVersion string         `help:"Only if the object is still at this version." placeholder:"VERSION"`
	All             bool           `help:"All objects of the type in the namespace."`
	Selector        string         `short:"l" help:"Objects whose labels match." placeholder:"LABELS"`
	Timeout         time.Duration  `help:"Wait this long until it is done; 0 does not wait." default:"0s" placeholder:"DURATION"`
	DryRun          session.DryRun `help:"client: only say; server: send without storing." placeholder:"MODE"`
}

// Run implements the command.
func (c *Command) Run(ctx context.Context, s *session.Session) error {
	if c.Replicas < 0 {
		return failure.Usage("The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0")
	}
	want, err := c.Chosen(ctx, s, c.Args, c.All, c.Selector)
	if err != nil {
		return err
	}
	client, err := s.Client(ctx)
	if err != nil {
		return err
	}
	found, err := target.Fetch(ctx, client, want, target.Query{Namespace: s.Namespace(), Selector: c.Selector})
	errs := []error{err}
	for _, o := range found {
		if err := c.scale(ctx, client, o); err != nil {
			errs = append(errs, err)
			continue
		}
		s.Printf("%s scaled%s\n", o.Label(), c.DryRun.Suffix())
	}
	if err := errors.Join(errs...); err != nil || c.Timeout == 0 || c.DryRun != session.DryRunNone {
		return err
	}
	return session.Within(ctx, c.Timeout, func(ctx context.Context) error { return rollout.Follow(ctx, s, client, found) })
}

// scale sets the replicas, again if somebody else wrote meanwhile.
func (c *Command) scale(ctx context.Context, client *api.Client, o target.Found) error {
	if o.Kind.Scale == nil {
		return fmt.Errorf("cannot scale %s: %s have no replicas", o.Label(), o.Kind.Resource)
	}
	return retry.RetryOnConflict(retry.DefaultRetry, func() error { return c.try(ctx, client, o) })
}

func (c *Command) try(ctx context.Context, client *api.Client, o target.Found) error {
	ref := o.Ref()
	r := api.Request{Verb: api.VerbGet, Resource: ref.Resource, Namespace: ref.Namespace, Name: ref.Name, Subresource: "scale"}
	reply, err := client.Do(ctx, &r)
	if err != nil {
		return err
	}
	var now autoscalingv1.Scale
	if err := json.Unmarshal(reply.Body, &now); err != nil {
		return fmt.Errorf("read scale of %s: %w", o.Label(), err)
	}
	if c.CurrentReplicas >= 0 && now.Spec.Replicas != c.CurrentReplicas {
		return fmt.Errorf("Expected replicas to be %d, was %d", c.CurrentReplicas, now.Spec.Replicas) //nolint:staticcheck // kubectl's words
	}
	if c.ResourceVersion != "" && now.ResourceVersion != c.ResourceVersion {
		return fmt.Errorf("Expected resource version to be %s, was %s", c.ResourceVersion, now.ResourceVersion) //nolint:staticcheck // kubectl's words
	}
	if c.DryRun == session.DryRunClient {
		return nil
	}
	now.Spec.Replicas = c.Replicas
	r.Verb, r.DryRun = api.VerbUpdate, c.DryRun == session.DryRunServer
	return session.Send(ctx, client, &r, now)
}
