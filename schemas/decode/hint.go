package decode

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/skerry/skerry/schemas/guess"
	"github.com/skerry/skerry/schemas/shape"
)

// location is one field of a kind's whole type.
type location struct {
	parent   string // spec.template.spec.containers[]; "" for the top
	optional int    // how many of the fields on the way are optional
}

// unknown says what may have been meant by a field that the struct does not have.
func (c *checker) unknown(name string, fields []shape.Field) string {
	if c.terse {
		return "unknown field"
	}
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.Name
	}
	best := guess.Nearest(name, names)
	if best != "" && guess.Slip(name, best) {
		return fmt.Sprintf("unknown field, did you mean %q?", best)
	}
	if parent, ok := c.belongs(name); ok {
		if parent == "" {
			return "unknown field, it belongs at the top level"
		}
		return "unknown field, it belongs under " + parent
	}
	switch {
	case best != "":
		return fmt.Sprintf("unknown field, did you mean %q?", best)
	case len(names) > 0 && len(names) <= 8:
		return "unknown field, known are " + strings.Join(names, ", ")
	}
	return "unknown field"
}

// belongs finds where in the kind a field of that name exists: the place nearest to
// where it was written, with the fewest optional fields on the way.
func (c *checker) belongs(name string) (string, bool) {
	if c.index == nil {
		c.index = map[string][]location{}
		c.collect(c.root, "", 0, nil)
	}
	places := c.index[name]
	if len(places) == 0 {
		return "", false
	}
	here := c.path[:len(c.path)-1]
	score := func(p location) int {
		steps := strings.FieldsFunc(strings.ReplaceAll(p.parent, "[]", ".[]"), func(r rune) bool { return r == '.' })
		common := 0
		for common < len(steps) && common < len(here) && (steps[common] == here[common] || steps[common] == "[]" && here[common][0] == '[') {
			common++
		}
		return 8*(len(steps)-common+len(here)-common) + p.optional
	}
	best := slices.MinFunc(places, func(a, b location) int { return score(a) - score(b) })
	return best.parent, true
}

// collect indexes the fields of t and all below it. above guards against types that
// contain themselves.
func (c *checker) collect(t reflect.Type, path string, optional int, above []reflect.Type) {
	t = shape.Deref(t)
	if shape.Opaque(t) || slices.Contains(above, t) {
		return
	}
	switch t.Kind() {
	case reflect.Slice, reflect.Map:
		c.collect(t.Elem(), path+"[]", optional, above)
	case reflect.Struct:
		above = append(slices.Clip(above), t)
		for _, f := range shape.Fields(t) {
			if path == "" && f.Name == "status" || f.Name == "managedFields" {
				continue
			}
			n := optional
			if !f.Required {
				n++
			}
			c.index[f.Name] = append(c.index[f.Name], location{parent: path, optional: n})
			c.collect(f.Type, strings.TrimPrefix(path+"."+f.Name, "."), n, above)
		}
	}
}
