// Package label is `skerry label` and `skerry annotate`.
//
// It writes objects' labels and annotations by merge patches. What always holds: a
// value that is there already is only replaced with --overwrite.
package label

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/cli/failure"
	"github.com/skerry/skerry/cli/manifest"
	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/cli/target"
	"github.com/skerry/skerry/schemas"
)

// Label is `skerry label`.
type Label struct{ flags }

// Annotate is `skerry annotate`.
type Annotate struct{ flags }

// flags are those of both commands.
type flags struct {
	Args []string `arg:"" name:"type/name key=value|key-" help:"The objects, then what to set (key=value) or to remove (key-)."`

	manifest.Flags
	All             bool           `help:"All objects of the type in the namespace."`
	AllNamespaces   bool           `short:"A" help:"With --all or a selector: in all namespaces."`
	Selector        string         `short:"l" help:"Objects whose labels match." placeholder:"LABELS"`
	Overwrite       bool           `help:"Replace values that are there."`
	List            bool           `help:"Show what is there afterwards."`
	ResourceVersion string         `help:"Only if the object is still at this version." placeholder:"VERSION"`
	DryRun          session.DryRun `help:"client: only say; server: send without storing." placeholder:"MODE"`
}

// Run implements the command.
func (c *Label) Run(ctx context.Context, s *session.Session) error {
	return c.run(ctx, s, words{field: "labels", done: "labeled", undone: "unlabeled", none: "not labeled", one: "label"},
		func(o schemas.Object) map[string]string { return o.GetLabels() })
}

// Run implements the command.
func (c *Annotate) Run(ctx context.Context, s *session.Session) error {
	return c.run(ctx, s, words{field: "annotations", done: "annotated", undone: "annotated", none: "not annotated", one: "annotation"},
		func(o schemas.Object) map[string]string { return o.GetAnnotations() })
}

// words are what differs between the two commands.
type words struct{ field, done, undone, none, one string }

// change is what the arguments ask for.
type change struct {
	set    map[string]string
	remove []string
}

// split separates the objects from the changes: the first argument with "=" or a
// final "-" begins the changes.
func split(args []string) ([]string, change, error) {
	c := change{set: map[string]string{}}
	var objects []string
	changing := false
	for _, a := range args {
		key, value, isSet := strings.Cut(a, "=")
		removed := !isSet && strings.HasSuffix(a, "-")
		switch {
		case isSet && key != "":
			c.set[key] = value
			changing = true
		case removed && len(a) > 1:
			c.remove = append(c.remove, strings.TrimSuffix(a, "-"))
			changing = true
		case changing:
			return nil, c, failure.Usage("all resources must be specified before what to change: %s", a)
		default:
			objects = append(objects, a)
		}
	}
	for _, k := range c.remove {
		if _, ok := c.set[k]; ok {
			return nil, c, failure.Usage("can not both modify and remove %q in the same command", k)
		}
	}
	return objects, c, nil
}

func (c *flags) run(ctx context.Context, s *session.Session, w words, current func(schemas.Object) map[string]string) error {
	objects, change, err := split(c.Args)
	if err != nil {
		return err
	}
	if len(change.set) == 0 && len(change.remove) == 0 && !c.List {
		return failure.Usage("at least one %s update is required: key=value sets, key- removes", w.one)
	}
	want, err := c.Chosen(ctx, s, objects, c.All, c.Selector)
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
	errs := []error{err}
	for _, o := range found {
		errs = append(errs, c.one(ctx, s, client, o, change, w, current(o.Object)))
	}
	return errors.Join(errs...)
}

func (c *flags) one(ctx context.Context, s *session.Session, client *api.Client, o target.Found, ch change, w words, now map[string]string) error {
	patch, said, err := c.patch(o, ch, w, now)
	if err != nil {
		return err
	}
	for _, k := range ch.remove {
		if _, ok := now[k]; !ok {
			s.Printf("%s %q not found.\n", w.one, k)
		}
	}
	if said != w.none && c.DryRun != session.DryRunClient {
		if _, err := (session.Patch{Ref: o.Ref(), Type: types.MergePatchType, Content: patch, DryRun: c.DryRun}).Send(ctx, s, client); err != nil {
			return err
		}
	}
	if c.List {
		return c.list(ctx, s, client, o, w)
	}
	s.Printf("%s %s%s\n", o.Label(), said, c.DryRun.Suffix())
	return nil
}

// patch computes the merge patch and what to say about it.
func (c *flags) patch(o target.Found, ch change, w words, now map[string]string) (patch map[string]any, said string, err error) {
	values := map[string]any{}
	said = w.none
	for k, v := range ch.set {
		old, there := now[k]
		if there && old != v && !c.Overwrite {
			return nil, "", fmt.Errorf("%s: '%s' already has a value (%s), and --overwrite is false", o.Label(), k, old)
		}
		if !there || old != v {
			values[k], said = v, w.done
		}
	}
	for _, k := range ch.remove {
		if _, there := now[k]; there {
			values[k] = nil
			if said == w.none {
				said = w.undone
			}
		}
	}
	meta := map[string]any{w.field: values}
	if c.ResourceVersion != "" {
		meta["resourceVersion"] = c.ResourceVersion
	}
	return map[string]any{"metadata": meta}, said, nil
}

func (c *flags) list(ctx context.Context, s *session.Session, client *api.Client, o target.Found, w words) error {
	obj, err := client.Get(ctx, o.Ref())
	if err != nil {
		return err
	}
	m := obj.GetLabels()
	if w.field == "annotations" {
		m = obj.GetAnnotations()
	}
	s.Printf("Listing %s for %s:\n", w.field, o.Label())
	for _, k := range slices.Sorted(maps.Keys(m)) {
		s.Printf(" %s=%s\n", k, m[k])
	}
	return nil
}
