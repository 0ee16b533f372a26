// Package wait is `skerry wait`: it returns when objects have come to a state.
//
// It reads objects and writes only its output.
package wait

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/cli/failure"
	"github.com/skerry/skerry/cli/manifest"
	"github.com/skerry/skerry/cli/output"
	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/cli/target"
	"github.com/skerry/skerry/schemas"
)

// Command is `skerry wait`.
type Command struct {
	Args []string `arg:"" optional:"" name:"type/name" help:"The objects."`

	manifest.Flags
	For           string        `help:"create, delete, condition=NAME[=VALUE], or jsonpath={.path}[=VALUE]." required:"" placeholder:"WHAT"`
	Timeout       time.Duration `help:"Give up after this long; 0 looks once, negative waits a week." default:"30s" placeholder:"DURATION"`
	All           bool          `help:"All objects of the type in the namespace."`
	AllNamespaces bool          `short:"A" help:"With --all or a selector: in all namespaces."`
	Selector      string        `short:"l" help:"Objects whose labels match." placeholder:"LABELS"`
	FieldSelector string        `help:"Objects whose fields match." placeholder:"FIELDS"`
	Output        string        `short:"o" help:"yaml, json, name, jsonpath=…: print the objects." placeholder:"FORMAT"`
}

// Run implements the command.
func (c *Command) Run(ctx context.Context, s *session.Session) error {
	format, err := output.Parse(c.Output)
	if err != nil {
		return err
	}
	goal, err := parseGoal(c.For)
	if err != nil {
		return err
	}
	want, err := c.Chosen(ctx, s, c.Args, c.All, c.Selector, c.FieldSelector)
	if err != nil {
		return err
	}
	client, err := s.Client(ctx)
	if err != nil {
		return err
	}
	w := &waiter{s: s, client: client, goal: goal, format: format, once: c.Timeout == 0}
	limit := c.Timeout
	if limit <= 0 {
		limit = 7 * 24 * time.Hour
	}
	return w.all(ctx, c.query(s), want, limit)
}

func (c *Command) query(s *session.Session) target.Query {
	q := target.Query{Namespace: s.Namespace(), Selector: c.Selector, FieldSelector: c.FieldSelector}
	if c.AllNamespaces {
		q.Namespace = ""
	}
	return q
}

// waiter waits for one goal.
type waiter struct {
	s      *session.Session
	client *api.Client
	goal   goal
	format output.Format
	once   bool
}

// all waits for every object, one after the other, within one limit.
func (w *waiter) all(ctx context.Context, q target.Query, want target.Want, limit time.Duration) error {
	inner, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	items := want.Items
	for _, k := range want.Kinds {
		objs, _, err := target.List(inner, w.client, k, q)
		if err != nil {
			return err
		}
		for _, o := range objs {
			if err := w.one(ctx, inner, k, schemas.RefOf(k.Resource, o)); err != nil {
				return err
			}
		}
		if len(objs) == 0 && len(items) == 0 && !w.goal.deleted {
			return errors.New("no matching resources found")
		}
	}
	for _, it := range items {
		if err := w.one(ctx, inner, it.Kind, it.Ref(q.Namespace)); err != nil {
			return err
		}
	}
	return nil
}

func (w *waiter) one(ctx, inner context.Context, k *schemas.Kind, ref schemas.Ref) error {
	obj, err := w.until(inner, k, ref)
	if err != nil && inner.Err() != nil && ctx.Err() == nil {
		return fmt.Errorf("%w on %s/%s", failure.ErrTimeout, ref.Resource, ref.Name)
	}
	if err != nil {
		return err
	}
	if w.format.Kind != "" && obj != nil {
		return w.format.Print(w.s.Stdout, []target.Found{{Kind: k, Object: obj}}, false)
	}
	w.s.Printf("%s condition met\n", target.Label(k, string(ref.Name)))
	return nil
}

// errMet ends a watch at the goal.
var errMet = errors.New("met")

// until returns when the goal is reached, with the object in that state.
func (w *waiter) until(ctx context.Context, k *schemas.Kind, ref schemas.Ref) (schemas.Object, error) {
	seen := false
	for {
		objs, rv, err := w.client.List(ctx, ref.Resource, ref.Namespace, metav1.ListOptions{FieldSelector: "metadata.name=" + string(ref.Name)})
		if err != nil {
			return nil, err
		}
		if len(objs) == 0 {
			if w.goal.deleted {
				return nil, nil
			}
			if !w.goal.created && !seen {
				return nil, apierrors.NewNotFound(k.GroupVersion().WithResource(k.Resource.Plural).GroupResource(), string(ref.Name))
			}
		}
		for _, o := range objs {
			seen = true
			if met, err := w.goal.met(k, o); met || err != nil {
				return o, err
			}
		}
		if w.once {
			return nil, fmt.Errorf("%w on %s/%s", failure.ErrTimeout, ref.Resource, ref.Name)
		}
		obj, err := w.follow(ctx, k, ref, rv)
		if obj != nil || err != nil {
			return obj, err
		}
		if w.goal.deleted {
			continue
		}
	}
}

// follow watches from rv; nil without an error means: list again.
func (w *waiter) follow(ctx context.Context, k *schemas.Kind, ref schemas.Ref, rv string) (schemas.Object, error) {
	var last schemas.Object
	o := metav1.ListOptions{FieldSelector: "metadata.name=" + string(ref.Name), ResourceVersion: rv}
	err := w.client.Watch(ctx, ref.Resource, ref.Namespace, o, func(event string, obj schemas.Object) error {
		switch event {
		case "BOOKMARK":
			return nil
		case "DELETED":
			if w.goal.deleted {
				last = obj
				return errMet
			}
			return nil
		}
		met, err := w.goal.met(k, obj)
		if met {
			last, err = obj, errMet
		}
		return err
	})
	switch {
	case errors.Is(err, errMet):
		return last, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case apierrors.IsResourceExpired(err), apierrors.IsGone(err):
		return nil, nil
	}
	return nil, err
}
