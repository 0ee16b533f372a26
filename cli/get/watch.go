package get

import (
	"context"
	"errors"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/cli/failure"
	"github.com/skerry/skerry/cli/output"
	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/cli/target"
	"github.com/skerry/skerry/schemas"
)

// isNotFound tells whether every error joined in err is a NotFound.
func isNotFound(err error) bool {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			if !isNotFound(e) {
				return false
			}
		}
		return true
	}
	return apierrors.IsNotFound(err)
}

// watcher prints the changes of one kind.
type watcher struct {
	*Command
	s      *session.Session
	kind   *schemas.Kind
	format output.Format
	table  *output.Table
	begun  bool // the header is out
}

func (c *Command) watch(ctx context.Context, s *session.Session, client *api.Client, want target.Want, format output.Format) error {
	q := c.query(s)
	switch {
	case len(want.Kinds) == 1:
		return c.watchKind(ctx, s, client, want.Kinds[0], q, format)
	case len(want.Items) == 1:
		it := want.Items[0]
		ref := it.Ref(q.Namespace)
		if ref.Namespace == "" && it.Kind.Namespaced {
			return errors.New("a resource cannot be retrieved by name across all namespaces")
		}
		if _, err := client.Get(ctx, ref); err != nil {
			return err
		}
		q.Namespace, q.FieldSelector = ref.Namespace, "metadata.name="+string(it.Name)
		return c.watchKind(ctx, s, client, it.Kind, q, format)
	}
	return failure.Usage("watch is only supported on individual resources and resource collections - more than one resource was found")
}

// watchKind lists, then follows; when the server can no longer serve the version
// it stopped at, it follows from a fresh list without printing that again.
func (c *Command) watchKind(ctx context.Context, s *session.Session, client *api.Client, k *schemas.Kind, q target.Query, format output.Format) error {
	w := &watcher{Command: c, s: s, kind: k, format: format, table: output.NewTable(s.Stdout)}
	objs, rv, err := target.List(ctx, client, k, q)
	if err != nil {
		return err
	}
	if !c.WatchOnly {
		if err := w.show("ADDED", objs...); err != nil {
			return err
		}
	}
	ns := q.Namespace
	if !k.Namespaced {
		ns = ""
	}
	for ctx.Err() == nil {
		o := metav1.ListOptions{LabelSelector: q.Selector, FieldSelector: q.FieldSelector, ResourceVersion: rv, AllowWatchBookmarks: true}
		err := client.Watch(ctx, k.Resource, ns, o, func(event string, obj schemas.Object) error {
			rv = obj.GetResourceVersion()
			if event == "BOOKMARK" {
				return nil
			}
			return w.show(event, obj)
		})
		if apierrors.IsResourceExpired(err) || apierrors.IsGone(err) {
			_, rv, err = target.List(ctx, client, k, q)
		}
		if err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

func (w *watcher) show(event string, objs ...schemas.Object) error {
	var found []target.Found
	for _, o := range objs {
		found = append(found, target.Found{Kind: w.kind, Object: o})
	}
	if !w.format.IsTable() {
		return w.format.Print(w.s.Stdout, found, false)
	}
	if len(found) == 0 {
		return nil
	}
	headers := !w.NoHeaders && !w.begun
	w.begun = true
	if w.format.Kind == "custom-columns" {
		return w.format.PrintColumns(w.table, found, headers)
	}
	rows := w.rows(w.s, w.kind, false, w.format)
	var lines [][]string
	if headers {
		lines = append(lines, w.mark("EVENT", rows.Header()))
	}
	for _, o := range objs {
		lines = append(lines, w.mark(event, rows.Row(o)))
	}
	return w.table.Write(lines...)
}

// mark puts the event in front of row if --output-watch-events asks for it.
func (w *watcher) mark(event string, row []string) []string {
	if !w.WatchEvents {
		return row
	}
	return append([]string{event}, row...)
}
