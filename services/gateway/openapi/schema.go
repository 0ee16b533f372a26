// Package openapi describes the kinds as OpenAPI does, versions 2 and 3: what
// `kubectl explain`, client-side validation and generated clients read.
//
// It reads the Go types of the kinds: their fields, the texts of their SwaggerDoc methods, and
// the tags of strategic merge patch. What always holds: whatever a manifest can set is described
// under the name that Kubernetes gives to its type; kinds are not known beforehand.
package openapi

import (
	"encoding/json"
	"reflect"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/shape"
)

// node is a piece of a document.
type node = map[string]any

// describer collects the schemas of types.
type describer struct {
	prefix string // of references: "#/components/schemas/" or "#/definitions/"
	v3     bool
	out    map[string]any
}

// named is what Kubernetes' types say of their own name.
type named interface{ OpenAPIModelName() string }

// scalar is what types say that JSON has as a scalar.
type scalar interface {
	OpenAPISchemaType() []string
	OpenAPISchemaFormat() string
}

// model is the name of t's schema.
func model(t reflect.Type) string {
	if n, ok := reflect.Zero(t).Interface().(named); ok {
		return n.OpenAPIModelName()
	}
	path := strings.Split(t.PkgPath(), "/")
	if len(path) > 0 {
		host := strings.Split(path[0], ".")
		for i, j := 0, len(host)-1; i < j; i, j = i+1, j-1 {
			host[i], host[j] = host[j], host[i]
		}
		path[0] = strings.Join(host, ".")
	}
	return strings.Join(append(path, t.Name()), ".")
}

// ref makes sure that t is described, and refers to it.
func (d *describer) ref(t reflect.Type) node {
	name := model(t)
	if _, done := d.out[name]; !done {
		d.out[name] = node{} // types may refer to themselves
		d.out[name] = d.describe(t)
	}
	return node{"$ref": d.prefix + name}
}

// of is the schema of a field's type: references for structs.
func (d *describer) of(t reflect.Type) node {
	t = shape.Deref(t)
	switch {
	case shape.Bytes(t):
		return node{"type": "string", "format": "byte"}
	case t.Kind() == reflect.Struct:
		return d.ref(t)
	case t.Kind() == reflect.Slice || t.Kind() == reflect.Array:
		return node{"type": "array", "items": d.item(t.Elem())}
	case t.Kind() == reflect.Map:
		return node{"type": "object", "additionalProperties": d.item(t.Elem())}
	}
	switch t.Kind() {
	case reflect.String:
		return node{"type": "string"}
	case reflect.Bool:
		return node{"type": "boolean"}
	case reflect.Int64, reflect.Int, reflect.Uint64, reflect.Uint:
		return node{"type": "integer", "format": "int64"}
	case reflect.Float32, reflect.Float64:
		return node{"type": "number", "format": "double"}
	case reflect.Interface:
		return node{"type": "object"}
	}
	return node{"type": "integer", "format": "int32"}
}

// item is what lists and maps hold.
func (d *describer) item(t reflect.Type) node { return d.beside(d.of(t), node{}) }

// beside puts more beside s. In version 3 nothing may be beside a reference.
func (d *describer) beside(s, more node) node {
	if ref, is := s["$ref"]; is && d.v3 && len(more) > 0 {
		s = node{"allOf": []any{node{"$ref": ref}}}
	}
	for k, v := range more {
		s[k] = v
	}
	return s
}

// describe is the schema of a struct.
func (d *describer) describe(t reflect.Type) node {
	texts := swagger(t)
	s := node{}
	if text := texts[""]; text != "" {
		s["description"] = text
	}
	if v, ok := reflect.Zero(t).Interface().(scalar); ok {
		return d.scalar(t, s, v)
	}
	s["type"] = "object"
	if shape.Opaque(t) {
		return s
	}
	properties, required := node{}, []string{}
	for _, f := range shape.Fields(t) {
		more := extensions(t.FieldByIndex(f.Index), f.Type)
		if text := swagger(f.Owner)[f.Name]; text != "" {
			more["description"] = text
		}
		properties[f.Name] = d.beside(d.of(f.Type), more)
		if f.Required && f.Name != "metadata" && f.Name != "status" {
			required = append(required, f.Name)
		}
	}
	if len(properties) > 0 {
		s["properties"] = properties
	}
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}

func (d *describer) scalar(t reflect.Type, s node, v scalar) node {
	types := v.OpenAPISchemaType()
	if len(types) > 0 {
		s["type"] = types[0]
	}
	if f := v.OpenAPISchemaFormat(); f != "" {
		s["format"] = f
	}
	either, ok := reflect.Zero(t).Interface().(interface{ OpenAPIV3OneOfTypes() []string })
	if ok && d.v3 {
		delete(s, "type")
		var of []any
		for _, one := range either.OpenAPIV3OneOfTypes() {
			of = append(of, node{"type": one})
		}
		s["oneOf"] = of
	}
	return s
}

// keys of lists that are maps by more than strategic merge patch's one key.
var keys = map[string][]any{
	"ContainerPort": {"containerPort", "protocol"},
	"ServicePort":   {"port", "protocol"},
}

// extensions are Kubernetes' own: how lists are merged.
func extensions(f reflect.StructField, t reflect.Type) node {
	out := node{}
	strategy, key := f.Tag.Get("patchStrategy"), f.Tag.Get("patchMergeKey")
	if strategy != "" {
		out["x-kubernetes-patch-strategy"] = strategy
	}
	t = shape.Deref(t)
	if key != "" {
		out["x-kubernetes-patch-merge-key"] = key
		list := []any{key}
		if t.Kind() == reflect.Slice && keys[shape.Deref(t.Elem()).Name()] != nil {
			list = keys[shape.Deref(t.Elem()).Name()]
		}
		out["x-kubernetes-list-type"], out["x-kubernetes-list-map-keys"] = "map", list
		return out
	}
	switch {
	case t.Kind() == reflect.Slice && !shape.Bytes(t) && strings.HasPrefix(strategy, "merge"):
		out["x-kubernetes-list-type"] = "set"
	case t.Kind() == reflect.Slice && !shape.Bytes(t):
		out["x-kubernetes-list-type"] = "atomic"
	}
	return out
}

func swagger(t reflect.Type) map[string]string {
	if doc, ok := reflect.Zero(t).Interface().(interface{ SwaggerDoc() map[string]string }); ok {
		return doc.SwaggerDoc()
	}
	return nil
}

// kind describes k and its list, and returns references to both.
func (d *describer) kind(k *schemas.Kind) (one, list node) {
	t := shape.Deref(reflect.TypeOf(k.New()))
	name := ""
	if t == reflect.TypeFor[unstructured.Unstructured]() {
		name = k.Resource.Group + "." + k.Version + "." + k.Kind
		d.out[name] = d.untyped(k)
	} else {
		d.ref(t)
		name = model(t)
	}
	if s, ok := d.out[name].(node); ok {
		s[extensionKinds] = []any{gvk(k.GroupVersionKind())}
	}
	text := func(s string) node { return node{"type": "string", "description": s} }
	d.out[name+"List"] = node{
		"description": k.Kind + "List is a list of " + k.Kind + ".", "type": "object", "required": []string{"items"},
		"properties": node{
			"apiVersion": text("The version of this list's schema."),
			"kind":       text("The kind of this list."),
			"metadata":   d.item(listMeta),
			"items":      node{"type": "array", "items": node{"$ref": d.prefix + name}},
		},
		extensionKinds: []any{gvk(k.GroupVersion().WithKind(k.Kind + "List"))},
	}
	return node{"$ref": d.prefix + name}, node{"$ref": d.prefix + name + "List"}
}

// untyped is the schema of a kind without a Go type: its own, and what every object has.
func (d *describer) untyped(k *schemas.Kind) node {
	s := node{"type": "object", preserve: true}
	if k.Schema != nil {
		var own node
		text, err := json.Marshal(k.Schema)
		if err == nil && json.Unmarshal(text, &own) == nil { // else it is described as one without a schema
			s = own
		}
	}
	properties, ok := s["properties"].(node)
	if !ok {
		properties = node{}
		s["properties"] = properties
	}
	properties["apiVersion"], properties["kind"] = node{"type": "string"}, node{"type": "string"}
	properties["metadata"] = d.item(objectMeta)
	return s
}

// preserve marks objects that may have any field.
const preserve = "x-kubernetes-preserve-unknown-fields"

// extensionKinds names the kinds that a schema, or an operation, is about.
const extensionKinds = "x-kubernetes-group-version-kind"

func gvk(k schema.GroupVersionKind) node {
	return node{"group": k.Group, "version": k.Version, "kind": k.Kind}
}
