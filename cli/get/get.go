// Package get is `skerry get`: it reads objects and prints them, once or as they
// change.
package get

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/skerry/skerry/cli/failure"
	"github.com/skerry/skerry/cli/manifest"
	"github.com/skerry/skerry/cli/output"
	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/cli/target"
	"github.com/skerry/skerry/schemas"
)

// Command is `skerry get`.
type Command struct {
	Args []string `arg:"" optional:"" name:"type" help:"What to show: types (pods, deploy,rs, all), a type and names, or type/name."`

	manifest.Flags
	AllNamespaces    bool     `short:"A" help:"Objects of all namespaces."`
	Selector         string   `short:"l" help:"Only objects whose labels match (app=web,tier!=db)." placeholder:"LABELS"`
	FieldSelector    string   `help:"Only objects whose fields match (status.phase=Running)." placeholder:"FIELDS"`
	Output           string   `short:"o" help:"wide, yaml, json, name, jsonpath=…, custom-columns=…." placeholder:"FORMAT"`
	Watch            bool     `short:"w" help:"Go on and show every change."`
	WatchOnly        bool     `help:"Show changes only, not what is there."`
	WatchEvents      bool     `name:"output-watch-events" help:"With --watch, show the kind of each change."`
	ShowLabels       bool     `help:"A last column with all labels."`
	LabelColumns     []string `short:"L" help:"Columns with these labels' values." placeholder:"LABEL"`
	ShowKind         bool     `help:"Names as kind/name."`
	NoHeaders        bool     `help:"No header line."`
	SortBy           string   `help:"Sort by this field (.metadata.name)." placeholder:"JSONPATH"`
	IgnoreNotFound   bool     `help:"Objects that are not there are no error."`
	ShowManagedField bool     `name:"show-managed-fields" help:"Keep metadata.managedFields in YAML and JSON."`
}

// Run implements the command.
func (c *Command) Run(ctx context.Context, s *session.Session) error {
	format, err := output.Parse(c.Output)
	if err != nil {
		return err
	}
	format.ManagedFields = c.ShowManagedField
	want, err := c.check(c.Want(ctx, s, c.Args))
	if err != nil {
		return err
	}
	client, err := s.Client(ctx)
	if err != nil {
		return err
	}
	if c.Watch || c.WatchOnly {
		return c.watch(ctx, s, client, want, format)
	}
	if c.streams(want, format) {
		return c.stream(ctx, s, client, want, format)
	}
	found, err := target.Fetch(ctx, client, want, c.query(s))
	if err != nil && (!isNotFound(err) || len(found) == 0) {
		return err
	}
	if c.SortBy != "" {
		if err := output.Sort(found, c.SortBy); err != nil {
			return err
		}
	}
	return errors.Join(c.print(s, want, found, format), err)
}

func (c *Command) check(w target.Want, err error) (target.Want, error) {
	if err != nil {
		return w, err
	}
	if len(w.Items) > 0 && (c.Selector != "" || c.FieldSelector != "") {
		return w, failure.Usage("selectors and names cannot be used together")
	}
	return w, nil
}

func (c *Command) query(s *session.Session) target.Query {
	q := target.Query{Namespace: s.Namespace(), Selector: c.Selector, FieldSelector: c.FieldSelector, IgnoreNotFound: c.IgnoreNotFound}
	if c.AllNamespaces {
		q.Namespace = ""
	}
	return q
}

func (c *Command) print(s *session.Session, want target.Want, found []target.Found, format output.Format) error {
	single := len(want.Items) == 1 && len(want.Kinds) == 0
	if !format.IsTable() {
		if len(found) == 0 && (single || format.Kind == "name") {
			return nil
		}
		return format.Print(s.Stdout, found, !single)
	}
	if len(found) == 0 {
		if !c.IgnoreNotFound {
			fmt.Fprintln(s.Stderr, c.nothing(s, want))
		}
		return nil
	}
	if format.Kind == "custom-columns" {
		return format.PrintColumns(output.NewTable(s.Stdout), found, !c.NoHeaders)
	}
	return c.printTables(s, want, found, format)
}

// printTables prints one table for each run of objects of one kind.
func (c *Command) printTables(s *session.Session, want target.Want, found []target.Found, format output.Format) error {
	for first := 0; first < len(found); {
		kind := found[first].Kind
		last := first
		var objs []schemas.Object
		for last < len(found) && found[last].Kind == kind {
			objs = append(objs, found[last].Object)
			last++
		}
		if first > 0 && !c.NoHeaders {
			fmt.Fprintln(s.Stdout)
		}
		if err := c.rows(s, kind, want.Multiple, format).Write(s.Stdout, objs); err != nil {
			return err
		}
		first = last
	}
	return nil
}

func (c *Command) rows(s *session.Session, k *schemas.Kind, multiple bool, format output.Format) output.Rows {
	return output.Rows{
		Kind: k, Wide: format.Kind == "wide", Namespace: c.AllNamespaces && k.Namespaced,
		KindPrefix: multiple || c.ShowKind, ShowLabels: c.ShowLabels, Labels: c.LabelColumns,
		NoHeaders: c.NoHeaders, Now: s.Now(),
	}
}

// nothing is what kubectl says when there is nothing to list.
func (c *Command) nothing(s *session.Session, want target.Want) string {
	namespaced := slices.ContainsFunc(want.Kinds, func(k *schemas.Kind) bool { return k.Namespaced })
	if c.AllNamespaces || !namespaced {
		return "No resources found"
	}
	return fmt.Sprintf("No resources found in %s namespace.", s.Namespace())
}
