// Package shape tells how encoding/json sees a Go type: its fields by their JSON
// names, with inlined structs dissolved, and whether it is a value of its own format.
//
// Pure: it reads types by reflection. What always holds: a field that
// encoding/json would not write is not listed, and each name is listed once.
package shape

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"sync"
)

// Field is one field of a struct as JSON has it.
type Field struct {
	Name     string
	Type     reflect.Type
	Required bool         // no omitempty and no pointer: Kubernetes' mark of required fields
	Index    []int        // for reflect.Value.FieldByIndex
	Owner    reflect.Type // the struct that declares it: t, or one that t inlines
}

// known are the fields of the struct types that were asked for. A program has so many types.
var known sync.Map // reflect.Type → []Field

// Fields lists the fields of struct type t in their order of declaration. Others get the
// same list: it must not be changed.
func Fields(t reflect.Type) []Field {
	if fields, ok := known.Load(t); ok {
		list, _ := fields.([]Field) // nothing else is stored
		return list
	}
	list := read(t)
	known.Store(t, list)
	return list
}

func read(t reflect.Type) []Field {
	var fields []Field
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" || !f.IsExported() {
			continue
		}
		if name == "" && (f.Anonymous || strings.Contains(options, "inline")) {
			for _, inner := range Fields(Deref(f.Type)) {
				inner.Index = append([]int{i}, inner.Index...)
				fields = append(fields, inner)
			}
			continue
		}
		if name == "" {
			name = f.Name
		}
		required := !strings.Contains(options, "omitempty") && !strings.Contains(options, "omitzero")
		fields = append(fields, Field{Name: name, Type: f.Type, Required: required, Index: []int{i}, Owner: t})
	}
	return fields
}

// Deref takes all pointers off t.
func Deref(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

var unmarshaler = reflect.TypeFor[json.Unmarshaler]()

// Opaque tells whether t reads its own JSON (quantities, times, int-or-strings):
// what is inside is not a matter of fields.
func Opaque(t reflect.Type) bool { return reflect.PointerTo(t).Implements(unmarshaler) }

// Bytes tells whether t is a byte slice, which JSON has as a base64 string.
func Bytes(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8
}

// Leaves calls leaf with the path of every field of t that has nothing below it, such as
// containers[].ports[].name, and does not go below a path that covered accepts, nor into
// a type that contains itself a second time.
func Leaves(t reflect.Type, path string, covered func(path string) bool, leaf func(path string)) {
	leaves(t, path, covered, leaf, nil)
}

func leaves(t reflect.Type, path string, covered func(path string) bool, leaf func(path string), above []reflect.Type) {
	if covered(path) {
		return
	}
	t = Deref(t)
	switch {
	case Opaque(t) || Bytes(t) || slices.Contains(above, t):
		leaf(path)
	case t.Kind() == reflect.Struct:
		above = append(slices.Clip(above), t)
		for _, f := range Fields(t) {
			leaves(f.Type, strings.TrimPrefix(path+"."+f.Name, "."), covered, leaf, above)
		}
	case t.Kind() == reflect.Slice || t.Kind() == reflect.Map:
		leaves(t.Elem(), path+"[]", covered, leaf, above)
	default:
		leaf(path)
	}
}
