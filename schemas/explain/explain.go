// Package explain describes kinds and their fields as `kubectl explain` does: types,
// required fields and the texts of the Kubernetes API reference.
//
// It reads the Go types and their SwaggerDoc methods, and writes text. What always
// holds: whatever a manifest can set is found here under the same path.
package explain

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/guess"
	"github.com/skerry/skerry/schemas/shape"
)

// Explanation describes a kind or one of its fields.
type Explanation struct {
	Kind        *schemas.Kind
	Field       *Entry // nil if the path names only a kind
	Description string
	Fields      []Entry // sorted by name; empty for scalars
}

// Entry is one field of a struct.
type Entry struct {
	Name        string
	Type        string // string, integer, boolean, []Container, map[string]Quantity, PodSpec
	Required    bool
	Description string

	goType reflect.Type
}

// Field explains path: a kind as `get` takes it, and field names separated by dots,
// such as "pod.spec.containers.image". Indices in brackets are skipped.
func Field(table *schemas.Table, path string) (*Explanation, error) {
	steps := strings.Split(strings.Trim(path, "."), ".")
	kind := table.Find(steps[0])
	if kind == nil {
		return nil, fmt.Errorf("explain %s: there is no kind %q%s", path, steps[0], didYouMean(steps[0], kindNames(table)))
	}
	t := shape.Deref(reflect.TypeOf(kind.New()))
	out := &Explanation{Kind: kind}
	for i, step := range steps[1:] {
		name, _, _ := strings.Cut(step, "[")
		fields := entries(t)
		at := slices.IndexFunc(fields, func(e Entry) bool { return e.Name == name })
		if at < 0 {
			return nil, fmt.Errorf("explain %s: %s has no field %q%s", path, strings.Join(steps[:i+1], "."), name, didYouMean(name, names(fields)))
		}
		out.Field = &fields[at]
		t = element(fields[at].goType)
	}
	out.Fields = entries(t)
	out.Description = swagger(t)[""]
	if out.Field != nil {
		out.Description = strings.TrimSpace(out.Field.Description + "\n" + out.Description)
	}
	return out, nil
}

func didYouMean(name string, names []string) string {
	if best := guess.Nearest(name, names); best != "" {
		return fmt.Sprintf(", did you mean %q?", best)
	}
	return ""
}

func kindNames(table *schemas.Table) []string {
	var names []string
	for _, k := range table.All() {
		names = append(names, k.Resource.Plural, k.Singular)
	}
	return names
}

func names(entries []Entry) []string {
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name
	}
	return names
}

// entries lists the fields of t; none if it is no struct.
func entries(t reflect.Type) []Entry {
	if t.Kind() != reflect.Struct || shape.Opaque(t) {
		return nil
	}
	var out []Entry
	for _, f := range shape.Fields(t) {
		out = append(out, Entry{
			Name: f.Name, Type: typeName(f.Type), Required: f.Required && !optionalStruct(f),
			Description: swagger(f.Owner)[f.Name], goType: f.Type,
		})
	}
	slices.SortFunc(out, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// optionalStruct spots structs without omitempty that are optional all the same.
func optionalStruct(f shape.Field) bool { return f.Name == "metadata" || f.Name == "status" }

// element is what a field's own fields belong to: pointers, lists and maps taken off.
func element(t reflect.Type) reflect.Type {
	t = shape.Deref(t)
	for (t.Kind() == reflect.Slice || t.Kind() == reflect.Map) && !shape.Opaque(t) && !shape.Bytes(t) {
		t = shape.Deref(t.Elem())
	}
	return t
}

// swagger returns t's texts by field name; "" is about t itself.
func swagger(t reflect.Type) map[string]string {
	if doc, ok := reflect.Zero(t).Interface().(interface{ SwaggerDoc() map[string]string }); ok {
		return doc.SwaggerDoc()
	}
	return nil
}

// typeName names t as kubectl does, after its OpenAPI schema.
func typeName(t reflect.Type) string {
	t = shape.Deref(t)
	switch {
	case shape.Bytes(t) || slices.Contains([]string{"Time", "MicroTime", "Duration"}, t.Name()):
		return "string"
	case shape.Opaque(t):
		return t.Name()
	}
	switch t.Kind() {
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "boolean"
	case reflect.Slice:
		return "[]" + typeName(t.Elem())
	case reflect.Map:
		return "map[string]" + typeName(t.Elem())
	case reflect.Float32, reflect.Float64:
		return "number"
	case reflect.Struct:
		return t.Name()
	case reflect.Interface:
		return "Object"
	}
	return "integer"
}
