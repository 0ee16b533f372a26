package output

import (
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/client-go/util/jsonpath"

	"github.com/skerry/skerry/cli/failure"
	"github.com/skerry/skerry/cli/target"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func compile(expr string, allowMissing bool) (*jsonpath.JSONPath, error) {
	p := jsonpath.New("out").AllowMissingKeys(allowMissing)
	if err := p.Parse(expr); err != nil {
		return nil, failure.Usage("error parsing jsonpath %s, %w", expr, err)
	}
	return p, nil
}

// relaxed accepts ".a.b", "a.b", "{.a.b}" and "{a.b}", as kubectl does for columns and sorting.
func relaxed(expr string) string {
	expr = strings.TrimSuffix(strings.TrimPrefix(expr, "{"), "}")
	return "{." + strings.TrimPrefix(expr, ".") + "}"
}

func printJSONPath(w io.Writer, template string, content map[string]any) error {
	p, err := compile(template, true)
	if err != nil {
		return err
	}
	if err := p.Execute(w, content); err != nil {
		return fmt.Errorf("error executing jsonpath %q: %w", template, err)
	}
	return nil
}

// Lookup returns what the JSONPath expr finds in content; nothing if a key is missing.
func Lookup(expr string, content map[string]any) ([]any, error) {
	p, err := compile(relaxed(expr), true)
	if err != nil {
		return nil, err
	}
	groups, err := p.FindResults(content)
	if err != nil {
		return nil, fmt.Errorf("look up %s: %w", expr, err)
	}
	var out []any
	for _, g := range groups {
		for _, v := range g {
			if v.IsValid() && v.CanInterface() && !isNil(v) {
				out = append(out, v.Interface())
			}
		}
	}
	return out, nil
}

func isNil(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Interface, reflect.Map, reflect.Slice, reflect.Pointer:
		return v.IsNil()
	}
	return false
}

// customColumn is one column of -o custom-columns.
type customColumn struct{ header, path string }

func parseColumns(spec string) ([]customColumn, error) {
	var cols []customColumn
	for _, part := range strings.Split(spec, ",") {
		header, path, ok := strings.Cut(part, ":")
		if !ok || header == "" || path == "" {
			return nil, failure.Usage("unexpected custom-columns spec: %s, expected <header>:<json-path-expr>", part)
		}
		if _, err := compile(relaxed(path), true); err != nil {
			return nil, err
		}
		cols = append(cols, customColumn{header, path})
	}
	return cols, nil
}

// PrintColumns prints -o custom-columns.
func (f Format) PrintColumns(t *Table, found []target.Found, headers bool) error {
	cols, err := parseColumns(f.Template)
	if err != nil {
		return err
	}
	var rows [][]string
	if headers {
		head := make([]string, len(cols))
		for i, c := range cols {
			head[i] = c.header
		}
		rows = append(rows, head)
	}
	for _, o := range found {
		content, err := Content(o, true)
		if err != nil {
			return err
		}
		row := make([]string, len(cols))
		for i, c := range cols {
			values, err := Lookup(c.path, content)
			if err != nil {
				return err
			}
			row[i] = joinValues(values)
		}
		rows = append(rows, row)
	}
	return t.Write(rows...)
}

func joinValues(values []any) string {
	if len(values) == 0 {
		return "<none>"
	}
	parts := make([]string, len(values))
	for i, v := range values {
		parts[i] = fmt.Sprint(v)
	}
	return strings.Join(parts, ",")
}

// Sort sorts found by the value of a JSONPath: numbers, quantities and times by
// size, everything else as text; objects without the field come first.
func Sort(found []target.Found, expr string) error {
	keys := make(map[target.Found]any, len(found))
	seen := false
	for _, o := range found {
		content, err := Content(o, true)
		if err != nil {
			return err
		}
		values, err := Lookup(expr, content)
		if err != nil {
			return err
		}
		if len(values) > 0 {
			keys[o], seen = values[0], true
		}
	}
	if !seen && len(found) > 0 {
		return fmt.Errorf("couldn't find any field with path %q in the list of objects", relaxed(expr))
	}
	slices.SortStableFunc(found, func(a, b target.Found) int { return compare(keys[a], keys[b]) })
	return nil
}

func compare(a, b any) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return -1
	case b == nil:
		return 1
	}
	if x, y, ok := numbers(a, b); ok {
		return x.Cmp(y)
	}
	return strings.Compare(fmt.Sprint(a), fmt.Sprint(b))
}

// numbers reads both as quantities, which plain numbers are too.
func numbers(a, b any) (x, y resource.Quantity, ok bool) {
	x, err1 := resource.ParseQuantity(fmt.Sprint(a))
	y, err2 := resource.ParseQuantity(fmt.Sprint(b))
	return x, y, err1 == nil && err2 == nil
}
