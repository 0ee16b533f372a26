// Package output prints objects: as kubectl's tables, YAML, JSON, names, JSONPath or
// custom columns.
//
// It writes to the given writer only. What always holds: the formats are those of
// kubectl, byte for byte where a script could depend on them.
package output

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/skerry/skerry/cli/failure"
	"github.com/skerry/skerry/cli/target"
)

// Formats are the values of -o, for help and completion.
var formats = []string{"wide", "yaml", "json", "name", "jsonpath=", "custom-columns="}

// Format is a parsed -o flag.
type Format struct {
	// Kind is "", wide, yaml, json, name, jsonpath or custom-columns.
	Kind string
	// Template is what follows the equals sign.
	Template string
	// ManagedFields shows metadata.managedFields, which is hidden otherwise.
	ManagedFields bool
}

// Parse reads the value of -o.
func Parse(s string) (Format, error) {
	kind, template, has := strings.Cut(s, "=")
	switch kind {
	case "", "wide", "yaml", "json", "name":
		if !has {
			return Format{Kind: kind}, nil
		}
	case "jsonpath", "custom-columns":
		if template == "" {
			return Format{}, failure.Usage("-o %s needs a template: -o %s='…'", kind, kind)
		}
		return Format{Kind: kind, Template: template}, nil
	}
	return Format{}, failure.Usage("unable to match a printer suitable for the output format %q, allowed formats are: %s", s, strings.Join(formats, ","))
}

// IsTable tells whether objects are printed as rows.
func (f Format) IsTable() bool {
	return slices.Contains([]string{"", "wide", "custom-columns"}, f.Kind)
}

// Print prints found in any format but a table of columns. With list, several or
// no objects are wrapped in a List, as `get` does; otherwise they come one by one.
func (f Format) Print(w io.Writer, found []target.Found, list bool) error {
	if f.Kind == "name" {
		for _, o := range found {
			fmt.Fprintln(w, o.Label())
		}
		return nil
	}
	contents := make([]map[string]any, 0, len(found))
	for _, o := range found {
		c, err := Content(o, f.ManagedFields)
		if err != nil {
			return err
		}
		contents = append(contents, c)
	}
	if list {
		return f.print(w, listOf(contents))
	}
	for i, c := range contents {
		if f.Kind == "yaml" && i > 0 {
			fmt.Fprintln(w, "---")
		}
		if err := f.print(w, c); err != nil {
			return err
		}
	}
	return nil
}

// PrintContent prints content alone, as YAML or JSON.
func (f Format) PrintContent(w io.Writer, content map[string]any) error { return f.print(w, content) }

func (f Format) print(w io.Writer, content map[string]any) error {
	switch f.Kind {
	case "yaml":
		b, err := yaml.Marshal(content)
		if err != nil {
			return fmt.Errorf("print yaml: %w", err)
		}
		_, err = w.Write(b)
		return err
	case "json":
		e := json.NewEncoder(w)
		e.SetIndent("", "    ")
		e.SetEscapeHTML(false)
		return e.Encode(content)
	case "jsonpath":
		return printJSONPath(w, f.Template, content)
	}
	return fmt.Errorf("print objects: %q is not a format for whole objects", f.Kind)
}

func listOf(items []map[string]any) map[string]any {
	all := make([]any, len(items))
	for i, it := range items {
		all[i] = it
	}
	return map[string]any{"apiVersion": "v1", "kind": "List", "metadata": map[string]any{"resourceVersion": ""}, "items": all}
}

// Content is the object as a user sees it: with apiVersion and kind, without
// managed fields unless asked for.
func Content(o target.Found, managed bool) (map[string]any, error) {
	var c map[string]any
	if u, ok := o.Object.(*unstructured.Unstructured); ok {
		c = u.DeepCopy().Object
	} else {
		var err error
		if c, err = runtime.DefaultUnstructuredConverter.ToUnstructured(o.Object); err != nil {
			return nil, fmt.Errorf("print %s: %w", o.Label(), err)
		}
	}
	c["apiVersion"], c["kind"] = o.Kind.GroupVersion().String(), o.Kind.Kind
	if !managed {
		unstructured.RemoveNestedField(c, "metadata", "managedFields")
	}
	dropEmpty(c, o.Kind.StatusWriter != 0)
	return c, nil
}

// dropEmpty removes what Go's zero values add to objects that do not have it.
func dropEmpty(c map[string]any, hasStatus bool) {
	if ts, ok, _ := unstructured.NestedFieldNoCopy(c, "metadata", "creationTimestamp"); ok && ts == nil {
		unstructured.RemoveNestedField(c, "metadata", "creationTimestamp")
	}
	if st, ok := c["status"].(map[string]any); ok && len(st) == 0 && !hasStatus {
		delete(c, "status")
	}
}
