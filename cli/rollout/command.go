// Package rollout is `skerry rollout`: how far a change has come, what was before
// it, and the way back.
//
// It reads objects, their pods and their kept revisions, and writes the objects
// alone. What always holds: undo writes a new generation; nothing of the history is lost.
package rollout

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/cli/failure"
	"github.com/skerry/skerry/cli/manifest"
	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/cli/target"
	"github.com/skerry/skerry/schemas"
)

// Command is `skerry rollout`.
type Command struct {
	Status  Status  `cmd:"" help:"Wait for a rollout and show how it comes on."`
	History Past    `cmd:"" help:"Revisions of an object of any kind."`
	Undo    Undo    `cmd:"" help:"Go back to an earlier revision, of any kind of object."`
	Pause   Pause   `cmd:"" help:"Let changes of a deployment wait."`
	Resume  Resume  `cmd:"" help:"Let a paused deployment roll out."`
	Restart Restart `cmd:"" help:"Replace all pods of a deployment, one after another."`
}

// objects are what a command is about.
type objects struct {
	manifest.Flags
	Args     []string `arg:"" optional:"" name:"type/name" help:"The objects: deployment/web."`
	Selector string   `short:"l" help:"Objects whose labels match." placeholder:"LABELS"`
}

// each calls f for every one of them.
func (c *objects) each(ctx context.Context, s *session.Session, f func(*api.Client, target.Item) error) error {
	want, err := c.Want(ctx, s, c.Args)
	if err != nil {
		return err
	}
	if c.Selector != "" && len(want.Items) > 0 {
		return failure.Usage("a selector chooses among all objects of a type: it does not go with names or files")
	}
	client, err := s.Client(ctx)
	if err != nil {
		return err
	}
	items := want.Items
	for _, k := range want.Kinds {
		objs, _, err := target.List(ctx, client, k, target.Query{Namespace: s.Namespace(), Selector: c.Selector})
		if err != nil {
			return err
		}
		for _, o := range objs {
			items = append(items, target.Item{Kind: k, Name: schemas.Name(o.GetName())})
		}
	}
	if len(items) == 0 && c.Selector == "" {
		return failure.Usage("name an object, as type/name")
	}
	if len(items) == 0 {
		fmt.Fprintf(s.Stderr, "No resources found in %s namespace.\n", s.Namespace())
	}
	var errs []error
	for _, it := range items {
		errs = append(errs, f(client, it))
	}
	return errors.Join(errs...)
}

// Status is `skerry rollout status`.
type Status struct {
	objects
	Watch    bool          `short:"w" help:"Wait until the rollout is done." default:"true" negatable:""`
	Timeout  time.Duration `help:"Give up after this long; 0 is never." default:"0s" placeholder:"DURATION"`
	Revision int64         `help:"Fail once another revision than this is being rolled out." default:"0" placeholder:"N"`
}

// Run implements the command.
func (c *Status) Run(ctx context.Context, s *session.Session) error {
	return session.Within(ctx, c.Timeout, func(ctx context.Context) error {
		return c.each(ctx, s, func(client *api.Client, it target.Item) error {
			obj, err := client.Get(ctx, it.Ref(s.Namespace()))
			if err != nil {
				return err
			}
			if !rolls(obj) {
				return fmt.Errorf("no status viewer has been implemented for %s", it.Kind.Resource)
			}
			if err := c.checkRevision(obj); err != nil {
				return err
			}
			if c.Watch {
				return c.follow(ctx, s, client, target.Found{Kind: it.Kind, Object: obj})
			}
			st, err := statusOf(obj)
			if err == nil {
				s.Printf("%s\n", st.Message)
			}
			return err
		})
	})
}

func (c *Status) follow(ctx context.Context, s *session.Session, client *api.Client, o target.Found) error {
	return follow(ctx, s, client, []target.Found{o}, c.checkRevision)
}

func (c *Status) checkRevision(obj schemas.Object) error {
	have := obj.GetAnnotations()[annotationRevision]
	if c.Revision == 0 || have == "" || have == fmt.Sprint(c.Revision) {
		return nil
	}
	return fmt.Errorf("desired revision (%d) is different from the running revision (%s)", c.Revision, have)
}

// Pause is `skerry rollout pause`.
type Pause struct {
	objects
}

// Run implements the command.
func (c *Pause) Run(ctx context.Context, s *session.Session) error {
	return c.setPaused(ctx, s, true)
}

// Resume is `skerry rollout resume`.
type Resume struct {
	objects
}

// Run implements the command.
func (c *Resume) Run(ctx context.Context, s *session.Session) error {
	return c.setPaused(ctx, s, false)
}

func (c *objects) setPaused(ctx context.Context, s *session.Session, paused bool) error {
	verb, already := "resumed", "is not paused"
	if paused {
		verb, already = "paused", "is already paused"
	}
	return c.each(ctx, s, func(client *api.Client, it target.Item) error {
		ref, label := it.Ref(s.Namespace()), target.Label(it.Kind, string(it.Name))
		obj, err := client.Get(ctx, ref)
		if err != nil {
			return err
		}
		d, ok := obj.(*appsv1.Deployment)
		if !ok {
			return fmt.Errorf("%s: only deployments can be paused and resumed", label)
		}
		if d.Spec.Paused == paused {
			return fmt.Errorf("%s %s", target.Split(it.Kind, string(it.Name)), already)
		}
		patch := fmt.Sprintf(`{"spec":{"paused":%t}}`, paused)
		if _, err := client.Patch(ctx, ref, types.StrategicMergePatchType, []byte(patch), ""); err != nil {
			return err
		}
		s.Printf("%s %s\n", label, verb)
		return nil
	})
}

// Restart is `skerry rollout restart`.
type Restart struct {
	objects
}

// Run implements the command.
func (c *Restart) Run(ctx context.Context, s *session.Session) error {
	return c.each(ctx, s, func(client *api.Client, it target.Item) error {
		ref, label := it.Ref(s.Namespace()), target.Label(it.Kind, string(it.Name))
		obj, err := client.Get(ctx, ref)
		if err != nil {
			return err
		}
		d, ok := obj.(*appsv1.Deployment)
		if !ok {
			return fmt.Errorf("%s: restarting is not supported for this kind", label)
		}
		if d.Spec.Paused {
			return fmt.Errorf("can't restart paused deployment (run rollout resume first)")
		}
		at := s.Now().Format(time.RFC3339)
		patch := fmt.Sprintf(`{"spec":{"template":{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":%q}}}}}`, at)
		if _, err := client.Patch(ctx, ref, types.StrategicMergePatchType, []byte(patch), ""); err != nil {
			return err
		}
		s.Printf("%s restarted\n", label)
		return nil
	})
}
