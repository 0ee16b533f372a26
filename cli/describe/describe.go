// Package describe is `skerry describe`: everything about an object for a person to
// read, with what happened to it.
//
// It reads objects, the objects near them and their events, and writes nothing but its
// output. What always holds: an object of any kind can be described; kinds without a
// page of their own are shown field by field.
package describe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/cli/manifest"
	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/cli/target"
)

// Command is `skerry describe`.
type Command struct {
	Args []string `arg:"" optional:"" name:"type" help:"What to describe: a type, a type and names, or type/name."`

	manifest.Flags
	AllNamespaces bool   `short:"A" help:"Objects of all namespaces."`
	Selector      string `short:"l" help:"Only objects whose labels match." placeholder:"LABELS"`
	ShowEvents    bool   `help:"Show what happened to the object." default:"true" negatable:""`
}

// Run implements the command.
func (c *Command) Run(ctx context.Context, s *session.Session) error {
	want, err := c.Want(ctx, s, c.Args)
	if err != nil {
		return err
	}
	client, err := s.Client(ctx)
	if err != nil {
		return err
	}
	q := target.Query{Namespace: s.Namespace(), Selector: c.Selector}
	if c.AllNamespaces {
		q.Namespace = ""
	}
	found, err := target.Fetch(ctx, client, want, q)
	if err != nil && len(found) == 0 {
		return err
	}
	if len(found) == 0 {
		fmt.Fprintf(s.Stderr, "No resources found in %s namespace.\n", s.Namespace())
	}
	for i, o := range found {
		if i > 0 {
			s.Printf("\n\n")
		}
		if e := c.one(ctx, s, client, o); e != nil {
			return errors.Join(err, e)
		}
	}
	return err
}

func (c *Command) one(ctx context.Context, s *session.Session, client *api.Client, o target.Found) error {
	near, err := neighbours(ctx, client, o)
	if err != nil {
		return err
	}
	var events []*corev1.Event
	if c.ShowEvents {
		if events, err = eventsOf(ctx, client, o); err != nil {
			return err
		}
	}
	return Object(s.Stdout, s.Now(), o, near, events, c.ShowEvents)
}

// Object writes the page of one object.
func Object(w io.Writer, now time.Time, o target.Found, near Near, events []*corev1.Event, showEvents bool) error {
	p := newPage(w, now)
	switch obj := o.Object.(type) {
	case *corev1.Pod:
		p.pod(obj)
	case *appsv1.Deployment:
		p.deployment(obj, near.ReplicaSets)
	case *appsv1.ReplicaSet:
		p.replicaSet(obj, near.Pods)
	case *corev1.Node:
		p.node(obj, near.Pods)
	case *corev1.Service:
		p.service(obj, near.Endpoints)
	case *corev1.Namespace:
		p.namespace(obj)
	case *corev1.ConfigMap:
		p.configMap(obj)
	case *corev1.Secret:
		p.secret(obj)
	default:
		if err := p.generic(o); err != nil {
			return err
		}
	}
	if showEvents {
		p.events(events)
	}
	return p.flush()
}
