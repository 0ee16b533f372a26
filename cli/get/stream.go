package get

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/cli/output"
	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/cli/target"
	"github.com/skerry/skerry/schemas"
)

// streams tells whether the list can be printed page by page, as rows that the
// apiserver renders: neither sorting nor another format needs all the objects, and the columns are
// those that this program has for the kind.
func (c *Command) streams(w target.Want, f output.Format) bool {
	return len(w.Kinds) == 1 && !schemas.IsUntyped(w.Kinds[0].New()) && len(w.Items) == 0 && (f.Kind == "" || f.Kind == "wide") && c.SortBy == "" && !c.ShowLabels
}

// stream prints the rows as they come. Memory does not grow with their number.
func (c *Command) stream(ctx context.Context, s *session.Session, client *api.Client, w target.Want, f output.Format) error {
	kind, q := w.Kinds[0], c.query(s)
	ns := q.Namespace
	if !kind.Namespaced {
		ns = ""
	}
	rows := c.rows(s, kind, w.Multiple, f)
	table, first := output.NewTable(s.Stdout), true
	err := client.Rows(ctx, kind.Resource, ns, metav1.ListOptions{LabelSelector: q.Selector, FieldSelector: q.FieldSelector},
		api.Table{Wide: rows.Wide, Labels: c.LabelColumns}, func(page [][]string) error {
			if len(page) == 0 {
				return nil
			}
			for i, row := range page {
				if rows.KindPrefix && len(row) > 1 {
					row[1] = target.Label(kind, row[1])
				}
				if !rows.Namespace {
					page[i] = row[1:]
				}
			}
			if first && !rows.NoHeaders {
				page = append([][]string{rows.Header()}, page...)
			}
			first = false
			return table.Write(page...)
		})
	if err == nil && first && !c.IgnoreNotFound {
		fmt.Fprintln(s.Stderr, c.nothing(s, w))
	}
	return err
}
