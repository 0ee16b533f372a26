// Package node is `skerry cordon`, `uncordon`, `drain` and `taint`.
//
// It writes spec.unschedulable and spec.taints of nodes, and evicts pods through the apiserver. What always
// holds: a pod leaves only by eviction, so that whatever guards it is asked.
package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/cli/failure"
	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/cli/target"
	"github.com/skerry/skerry/schemas"
)

// Cordon is `skerry cordon`.
type Cordon struct{ nodes }

// Uncordon is `skerry uncordon`.
type Uncordon struct{ nodes }

// nodes choose nodes.
type nodes struct {
	Names    []string       `arg:"" optional:"" name:"node" help:"The nodes."`
	Selector string         `short:"l" help:"Nodes whose labels match." placeholder:"LABELS"`
	DryRun   session.DryRun `help:"client: only say; server: send without storing." placeholder:"MODE"`
}

// Run implements the command.
func (c *Cordon) Run(ctx context.Context, s *session.Session) error { return c.mark(ctx, s, true) }

// Run implements the command.
func (c *Uncordon) Run(ctx context.Context, s *session.Session) error { return c.mark(ctx, s, false) }

func (c *nodes) mark(ctx context.Context, s *session.Session, unschedulable bool) error {
	client, err := s.Client(ctx)
	if err != nil {
		return err
	}
	found, err := c.fetch(ctx, s, client)
	errs := []error{err}
	for _, n := range found {
		errs = append(errs, cordon(ctx, s, client, n, unschedulable, c.DryRun))
	}
	return errors.Join(errs...)
}

// fetch gets the nodes by name or selector.
func (c *nodes) fetch(ctx context.Context, s *session.Session, client *api.Client) ([]*corev1.Node, error) {
	kind := s.Table.ByResource(schemas.Nodes)
	var want target.Want
	switch {
	case len(c.Names) > 0 && c.Selector != "":
		return nil, failure.Usage("cannot specify both a node name and a --selector option")
	case len(c.Names) == 0 && c.Selector == "":
		return nil, failure.Usage("name a node, or choose nodes with --selector")
	case c.Selector != "":
		want.Kinds = []*schemas.Kind{kind}
	}
	for _, n := range c.Names {
		want.Items = append(want.Items, target.Item{Kind: kind, Name: schemas.Name(nameOf(n))})
	}
	found, err := target.Fetch(ctx, client, want, target.Query{Selector: c.Selector})
	var out []*corev1.Node
	for _, f := range found {
		if n, ok := f.Object.(*corev1.Node); ok {
			out = append(out, n)
		}
	}
	return out, err
}

// nameOf takes "node/n1" for "n1".
func nameOf(arg string) string {
	for _, prefix := range []string{"node/", "nodes/", "no/"} {
		if len(arg) > len(prefix) && arg[:len(prefix)] == prefix {
			return arg[len(prefix):]
		}
	}
	return arg
}

// cordon makes a node take no new pods, or take them again.
func cordon(ctx context.Context, s *session.Session, client *api.Client, n *corev1.Node, unschedulable bool, dry session.DryRun) error {
	said := "uncordoned"
	if unschedulable {
		said = "cordoned"
	}
	if n.Spec.Unschedulable == unschedulable {
		s.Printf("node/%s already %s%s\n", n.Name, said, dry.Suffix())
		return nil
	}
	if dry != session.DryRunClient {
		patch := fmt.Sprintf(`{"spec":{"unschedulable":%t}}`, unschedulable)
		if !unschedulable {
			patch = `{"spec":{"unschedulable":null}}`
		}
		_, err := session.Patch{Ref: schemas.RefOf(schemas.Nodes, n), Type: types.StrategicMergePatchType, Content: json.RawMessage(patch), DryRun: dry}.Send(ctx, s, client)
		if err != nil {
			return err
		}
	}
	s.Printf("node/%s %s%s\n", n.Name, said, dry.Suffix())
	return nil
}
