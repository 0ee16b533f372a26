package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/cli/failure"
	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/cli/target"
	"github.com/skerry/skerry/schemas"
)

// Taint is `skerry taint`.
type Taint struct {
	Args      []string       `arg:"" name:"node NAME key=value:effect" help:"The nodes, then taints: KEY=VALUE:EFFECT or KEY:EFFECT to set, KEY- or KEY:EFFECT- to remove."`
	All       bool           `help:"All nodes."`
	Selector  string         `short:"l" help:"Nodes whose labels match." placeholder:"LABELS"`
	Overwrite bool           `help:"Replace values that are there."`
	DryRun    session.DryRun `help:"client: only say; server: send without storing." placeholder:"MODE"`
}

// Run implements the command.
func (c *Taint) Run(ctx context.Context, s *session.Session) error {
	names, changes, err := parseTaints(c.Args)
	if err != nil {
		return err
	}
	want, err := target.Parse(s.Table, names)
	if err != nil {
		return err
	}
	if len(want.Kinds) > 0 && !c.All && c.Selector == "" {
		return failure.Usage("at least one node must be named, or --all")
	}
	client, err := s.Client(ctx)
	if err != nil {
		return err
	}
	found, err := target.Fetch(ctx, client, want, target.Query{Selector: c.Selector})
	errs := []error{err}
	for _, o := range found {
		n, ok := o.Object.(*corev1.Node)
		if !ok {
			return failure.Usage("invalid resource type %s, only node(s) is supported", o.Kind.Singular)
		}
		errs = append(errs, c.retry(ctx, s, client, n, changes))
	}
	return errors.Join(errs...)
}

// taintChange sets a taint or removes those with its key, and its effect if it has one.
type taintChange struct {
	corev1.Taint
	remove bool
}

var effects = []corev1.TaintEffect{corev1.TaintEffectNoSchedule, corev1.TaintEffectPreferNoSchedule, corev1.TaintEffectNoExecute}

// parseTaints separates the nodes from the changes.
func parseTaints(args []string) (names []string, changes []taintChange, err error) {
	for _, a := range args {
		if !strings.ContainsAny(a, "=:") && !strings.HasSuffix(a, "-") {
			if len(changes) > 0 {
				return nil, nil, failure.Usage("all nodes must be specified before taint changes: %s", a)
			}
			names = append(names, a)
			continue
		}
		body, remove := strings.CutSuffix(a, "-")
		left, effect, _ := strings.Cut(body, ":")
		key, value, _ := strings.Cut(left, "=")
		t := taintChange{corev1.Taint{Key: key, Value: value, Effect: corev1.TaintEffect(effect)}, remove}
		if key == "" || effect == "" && !remove || effect != "" && !slices.Contains(effects, t.Effect) {
			return nil, nil, failure.Usage("invalid taint spec: %s: it is KEY=VALUE:EFFECT, with an effect of NoSchedule, PreferNoSchedule or NoExecute", a)
		}
		changes = append(changes, t)
	}
	if len(changes) == 0 {
		return nil, nil, failure.Usage("at least one taint update is required")
	}
	return names, changes, nil
}

// tainted is what the node's taints become.
func tainted(n *corev1.Node, changes []taintChange, overwrite bool) (out []corev1.Taint, said string, err error) {
	out, said = slices.Clone(n.Spec.Taints), "tainted"
	for _, c := range changes {
		if c.remove {
			before := len(out)
			out = slices.DeleteFunc(out, func(t corev1.Taint) bool { return t.Key == c.Key && (c.Effect == "" || t.Effect == c.Effect) })
			if len(out) == before {
				return nil, "", fmt.Errorf("taint %q not found", strings.TrimSuffix(c.Key+":"+string(c.Effect), ":"))
			}
			said = "untainted"
			continue
		}
		i := slices.IndexFunc(out, func(t corev1.Taint) bool { return t.Key == c.Key && t.Effect == c.Effect })
		switch {
		case i < 0:
			out = append(out, c.Taint)
		case !overwrite:
			return nil, "", fmt.Errorf("node %s already has %s taint(s) with same effect(s) and --overwrite is false", n.Name, c.Key)
		default:
			out[i] = c.Taint
		}
		said = "tainted"
	}
	return out, said, nil
}

// maxTries bounds how often a node that somebody else changes is tried.
const maxTries = 5

// retry is one until nobody comes in between.
func (c *Taint) retry(ctx context.Context, s *session.Session, client *api.Client, n *corev1.Node, changes []taintChange) error {
	for try := 1; ; try++ {
		err := c.one(ctx, s, client, n, changes)
		if !apierrors.IsConflict(err) || try == maxTries {
			return err
		}
		obj, err := client.Get(ctx, schemas.RefOf(schemas.Nodes, n))
		if err != nil {
			return err
		}
		now, ok := obj.(*corev1.Node)
		if !ok {
			return fmt.Errorf("the apiserver answered with %T", obj)
		}
		n = now
	}
}

// one changes a node as it was read: the list of taints is replaced, so nobody may
// have changed it since.
func (c *Taint) one(ctx context.Context, s *session.Session, client *api.Client, n *corev1.Node, changes []taintChange) error {
	taints, said, err := tainted(n, changes, c.Overwrite)
	if err != nil {
		return err
	}
	if c.DryRun != session.DryRunClient {
		content := map[string]any{"metadata": map[string]any{"resourceVersion": n.ResourceVersion}, "spec": map[string]any{"taints": taints}}
		if _, err := (session.Patch{Ref: schemas.RefOf(schemas.Nodes, n), Type: types.MergePatchType, Content: content, DryRun: c.DryRun}).Send(ctx, s, client); err != nil {
			return err
		}
	}
	s.Printf("node/%s %s%s\n", n.Name, said, c.DryRun.Suffix())
	return nil
}
