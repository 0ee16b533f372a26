// Package event is `skerry events`: what happened, in the order of time.
//
// It reads events and writes only its output.
package event

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/cli/describe"
	"github.com/skerry/skerry/cli/output"
	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/cli/target"
	"github.com/skerry/skerry/schemas"
)

// Command is `skerry events`.
type Command struct {
	For           string   `help:"Only events about this object (pod/web-1)." placeholder:"TYPE/NAME"`
	Types         []string `help:"Only events of these types: Normal, Warning." placeholder:"TYPE"`
	AllNamespaces bool     `short:"A" help:"Events of all namespaces."`
	Watch         bool     `short:"w" help:"Go on and show every new event."`
	Output        string   `short:"o" help:"yaml, json, name, jsonpath=…, custom-columns=…." placeholder:"FORMAT"`
	NoHeaders     bool     `help:"No header line."`
}

// Run implements the command.
func (c *Command) Run(ctx context.Context, s *session.Session) error {
	format, err := output.Parse(c.Output)
	if err != nil {
		return err
	}
	kind, err := s.Kind("events")
	if err != nil {
		return err
	}
	selector, err := c.selector(s)
	if err != nil {
		return err
	}
	client, err := s.Client(ctx)
	if err != nil {
		return err
	}
	ns := s.Namespace()
	if c.AllNamespaces {
		ns = ""
	}
	o := metav1.ListOptions{FieldSelector: selector}
	objs, rv, err := client.List(ctx, schemas.Events, ns, o)
	if err != nil {
		return err
	}
	p := &printer{s: s, kind: kind, format: format, table: output.NewTable(s.Stdout), rows: output.Rows{
		Kind: kind, Wide: format.Kind == "wide", Namespace: c.AllNamespaces, Now: s.Now(),
	}, headers: !c.NoHeaders}
	objs = c.ofTypes(objs)
	if len(objs) == 0 && !c.Watch {
		where := fmt.Sprintf(" in %s namespace", ns)
		if ns == "" {
			where = ""
		}
		fmt.Fprintf(s.Stderr, "No events found%s.\n", where)
		return nil
	}
	slices.SortStableFunc(objs, byTime)
	if err := p.print(objs, !c.Watch); err != nil || !c.Watch {
		return err
	}
	o.ResourceVersion = rv
	return c.follow(ctx, client, ns, o, p)
}

func (c *Command) follow(ctx context.Context, client *api.Client, ns schemas.Namespace, o metav1.ListOptions, p *printer) error {
	err := client.Watch(ctx, schemas.Events, ns, o, func(event string, obj schemas.Object) error {
		if event == "DELETED" || event == "BOOKMARK" {
			return nil // it expired; nothing happened
		}
		p.rows.Now = p.s.Now()
		return p.print(c.ofTypes([]schemas.Object{obj}), false)
	})
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// selector asks for events about the object of --for.
func (c *Command) selector(s *session.Session) (string, error) {
	if c.For == "" {
		return "", nil
	}
	want, err := target.Parse(s.Table, []string{c.For})
	if err != nil {
		return "", err
	}
	if len(want.Items) != 1 {
		return "", fmt.Errorf("--for must be in resource/name form")
	}
	it := want.Items[0]
	return fields.AndSelectors(
		fields.OneTermEqualSelector("involvedObject.kind", it.Kind.Kind),
		fields.OneTermEqualSelector("involvedObject.name", string(it.Name)),
	).String(), nil
}

func (c *Command) ofTypes(objs []schemas.Object) []schemas.Object {
	if len(c.Types) == 0 {
		return objs
	}
	return slices.DeleteFunc(objs, func(o schemas.Object) bool {
		e, ok := o.(*corev1.Event)
		return !ok || !slices.ContainsFunc(c.Types, func(t string) bool { return strings.EqualFold(t, e.Type) })
	})
}

func byTime(a, b schemas.Object) int {
	x, ok1 := a.(*corev1.Event)
	y, ok2 := b.(*corev1.Event)
	if !ok1 || !ok2 {
		return 0
	}
	return cmp.Compare(describe.LastSeen(x).UnixNano(), describe.LastSeen(y).UnixNano())
}

// printer prints events as they come.
type printer struct {
	s       *session.Session
	kind    *schemas.Kind
	format  output.Format
	table   *output.Table
	rows    output.Rows
	headers bool // still to be printed
}

func (p *printer) print(objs []schemas.Object, list bool) error {
	if len(objs) == 0 {
		return nil
	}
	found := make([]target.Found, len(objs))
	for i, o := range objs {
		found[i] = target.Found{Kind: p.kind, Object: o}
	}
	if !p.format.IsTable() {
		return p.format.Print(p.s.Stdout, found, list)
	}
	headers := p.headers
	p.headers = false
	if p.format.Kind == "custom-columns" {
		return p.format.PrintColumns(p.table, found, headers)
	}
	var rows [][]string
	if headers {
		rows = append(rows, p.rows.Header())
	}
	for _, o := range objs {
		rows = append(rows, p.rows.Row(o))
	}
	return p.table.Write(rows...)
}
