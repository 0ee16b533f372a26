package rollout

import (
	"context"
	"fmt"
	"strings"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/cli/describe"
	"github.com/skerry/skerry/cli/output"
	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/cli/target"
	"github.com/skerry/skerry/schemas"
)

// Past is `skerry rollout history`.
type Past struct {
	objects
	Revision int64  `help:"Show this revision in detail." default:"0" placeholder:"N"`
	Output   string `short:"o" help:"With --revision: yaml or json of that revision." placeholder:"FORMAT"`
}

// Run implements the command.
func (c *Past) Run(ctx context.Context, s *session.Session) error {
	format, err := output.Parse(c.Output)
	if err != nil {
		return err
	}
	return c.each(ctx, s, func(client *api.Client, it target.Item) error {
		entries, err := fetchHistory(ctx, client, it.Kind, it.Ref(s.Namespace()))
		if err != nil {
			return err
		}
		label := target.Label(it.Kind, string(it.Name))
		if c.Revision == 0 {
			s.Printf("%s \n%s\n", label, historyTable(entries))
			return nil
		}
		e, err := find(entries, c.Revision)
		if err != nil {
			return err
		}
		if c.Output != "" {
			obj, err := object(it.Kind, e.Content)
			if err != nil {
				return err
			}
			return format.Print(s.Stdout, []target.Found{{Kind: it.Kind, Object: obj}}, false)
		}
		s.Printf("%s with revision #%d\n", label, c.Revision)
		return c.detail(s, it.Kind, e)
	})
}

func (c *Past) detail(s *session.Session, kind *schemas.Kind, e Entry) error {
	if kind.Resource == schemas.Deployments {
		return describe.Template(s.Stdout, e.Content)
	}
	return output.Format{Kind: "yaml"}.PrintContent(s.Stdout, payload(e.Content))
}

// historyTable renders the revisions, with what each one changed if that was noted.
func historyTable(entries []Entry) string {
	var b strings.Builder
	width := len("REVISION") + 2
	fmt.Fprintf(&b, "%-*s%s\n", width, "REVISION", "CHANGE-CAUSE")
	for _, e := range entries {
		cause := e.Cause
		if cause == "" {
			cause = "<none>"
		}
		if e.Deleted {
			cause += " (deleted)"
		}
		fmt.Fprintf(&b, "%-*d%s\n", width, e.Number, cause)
	}
	return b.String()
}
