package output

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/skerry/skerry/cli/target"
	"github.com/skerry/skerry/schemas"
)

// Table writes aligned rows as kubectl does: columns at least six wide, three
// spaces between them. Widths are remembered, so that rows that come later
// (a watch) stay aligned with those before.
type Table struct {
	w      io.Writer
	widths []int
}

// NewTable returns a table that writes to w.
func NewTable(w io.Writer) *Table { return &Table{w: w} }

const (
	minWidth = 6
	padding  = 3
)

// Write aligns and writes rows.
func (t *Table) Write(rows ...[]string) error {
	for _, row := range rows {
		for i, cell := range row {
			if i == len(t.widths) {
				t.widths = append(t.widths, minWidth)
			}
			t.widths[i] = max(t.widths[i], utf8.RuneCountInString(cell)+padding)
		}
	}
	var b strings.Builder
	for _, row := range rows {
		for i, cell := range row {
			b.WriteString(cell)
			if i < len(row)-1 {
				b.WriteString(strings.Repeat(" ", t.widths[i]-utf8.RuneCountInString(cell)))
			}
		}
		b.WriteByte('\n')
	}
	_, err := io.WriteString(t.w, b.String())
	return err
}

// Rows turns objects of one kind into header and rows.
type Rows struct {
	Kind       *schemas.Kind
	Wide       bool
	Namespace  bool     // a first column NAMESPACE
	KindPrefix bool     // names as kind/name
	ShowLabels bool     // a last column LABELS
	Labels     []string // columns of these labels' values
	NoHeaders  bool
	Now        time.Time
}

func (r Rows) columns() []schemas.Column {
	var cols []schemas.Column
	for _, c := range r.Kind.Columns {
		if !c.Wide || r.Wide {
			cols = append(cols, c)
		}
	}
	return cols
}

// Header is the first row.
func (r Rows) Header() []string {
	var row []string
	if r.Namespace {
		row = append(row, "NAMESPACE")
	}
	for _, c := range r.columns() {
		row = append(row, strings.ToUpper(c.Name))
	}
	for _, l := range r.Labels {
		row = append(row, strings.ToUpper(l[strings.LastIndex(l, "/")+1:]))
	}
	if r.ShowLabels {
		row = append(row, "LABELS")
	}
	return row
}

// Row is one object's row.
func (r Rows) Row(obj schemas.Object) []string {
	var row []string
	if r.Namespace {
		row = append(row, obj.GetNamespace())
	}
	for i, c := range r.columns() {
		cell := c.Value(obj, r.Now)
		if i == 0 && r.KindPrefix {
			cell = target.Label(r.Kind, cell)
		}
		row = append(row, cell)
	}
	for _, l := range r.Labels {
		row = append(row, obj.GetLabels()[l])
	}
	if r.ShowLabels {
		row = append(row, formatLabels(obj.GetLabels()))
	}
	return row
}

// Write writes the header, unless there is none, and a row for each object.
func (r Rows) Write(w io.Writer, objs []schemas.Object) error {
	var rows [][]string
	if !r.NoHeaders {
		rows = append(rows, r.Header())
	}
	for _, o := range objs {
		rows = append(rows, r.Row(o))
	}
	return NewTable(w).Write(rows...)
}

func formatLabels(m map[string]string) string {
	if len(m) == 0 {
		return "<none>"
	}
	pairs := make([]string, 0, len(m))
	for _, k := range sortedKeys(m) {
		pairs = append(pairs, fmt.Sprintf("%s=%s", k, m[k]))
	}
	return strings.Join(pairs, ",")
}
