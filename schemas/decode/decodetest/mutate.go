// Package decodetest makes bad manifests: good ones broken field by field, and input
// made to break a reader. For tests of the reader and of what stands on it.
package decodetest

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/skerry/skerry/schemas/decode"
	"github.com/skerry/skerry/schemas/shape"
)

// site is one field of a good object, with the map that holds it.
type site struct {
	path   string
	key    string
	holder map[string]any
	above  *parent // the nearest struct around holder, nil at the top
	field  shape.Field
}

type parent struct {
	value  map[string]any
	fields []shape.Field
}

// takes tells whether the parent may or does have a field called key.
func (p *parent) takes(key string) bool {
	return slices.ContainsFunc(p.fields, func(f shape.Field) bool { return f.Name == key })
}

// sites lists the fields of structs in v, which is of type t.
func sites(v any, t reflect.Type, path string, above *parent, visit func(site)) {
	t = shape.Deref(t)
	switch v := v.(type) {
	case map[string]any:
		if t.Kind() == reflect.Map {
			for _, key := range sortedKeys(v) {
				sites(v[key], t.Elem(), path+"["+key+"]", above, visit)
			}
			return
		}
		if t.Kind() != reflect.Struct || shape.Opaque(t) {
			return
		}
		fields := shape.Fields(t)
		for _, key := range sortedKeys(v) {
			i := slices.IndexFunc(fields, func(f shape.Field) bool { return f.Name == key })
			if i < 0 {
				continue
			}
			sub := strings.TrimPrefix(path+"."+key, ".")
			visit(site{path: sub, key: key, holder: v, above: above, field: fields[i]})
			sites(v[key], fields[i].Type, sub, &parent{v, fields}, visit)
		}
	case []any:
		for i, item := range v {
			sites(item, t.Elem(), fmt.Sprintf("%s[%d]", path, i), above, visit)
		}
	}
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// Case is a manifest with one thing wrong, and what its error must mention.
type Case struct {
	Name, Source, Mention string
}

// wrongValue returns a value that does not fit t.
func wrongValue(t reflect.Type) any {
	t = shape.Deref(t)
	switch {
	case shape.Opaque(t):
		return []any{"a list"}
	case shape.Bytes(t):
		return "not base64!"
	}
	switch t.Kind() {
	case reflect.String:
		return map[string]any{"a": 1}
	case reflect.Bool:
		return "maybe"
	case reflect.Slice, reflect.Map, reflect.Struct:
		return "text"
	}
	return "three"
}

// optional are the fields that look required by their tags and are not: zero is a
// valid value, or a default steps in.
var optional = []string{"value", "weight", "template", "matchExpressions", "source", "preference", "involvedObject"}

// Mutations makes one bad manifest per field of a good one and way of breaking it:
// dropping what is required, misspelling, retyping and misplacing.
func Mutations(t testing.TB, d decode.Document) []Case {
	t.Helper()
	root := reflect.TypeOf(d.Kind.New())
	var out []Case
	var paths int
	var obj map[string]any
	fresh := func() map[string]any {
		obj = nil
		if err := json.Unmarshal(d.Raw, &obj); err != nil {
			t.Fatal(err)
		}
		return obj
	}
	render := func(how, path, mention string) {
		src, err := yaml.Marshal(obj)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, Case{Name: d.Kind.Kind + " " + how + " " + path, Source: string(src), Mention: mention})
	}
	// at breaks the n-th field of a fresh copy; the copy's maps are not the last one's.
	at := func(n int, damage func(s site)) {
		var found []site
		sites(fresh(), root, "", nil, func(s site) { found = append(found, s) })
		paths = len(found)
		damage(found[n])
	}
	for n := 0; n == 0 || n < paths; n++ {
		at(n, func(s site) {
			s.holder[s.key+"x"] = s.holder[s.key]
			delete(s.holder, s.key)
			render("misspells", s.path, s.key)
		})
		at(n, func(s site) {
			s.holder[s.key] = wrongValue(s.field.Type)
			render("retypes", s.path, s.path)
		})
		at(n, func(s site) {
			if s.above == nil || s.above.takes(s.key) {
				return
			}
			s.above.value[s.key] = s.holder[s.key]
			delete(s.holder, s.key)
			render("misplaces", s.path, s.key)
		})
		at(n, func(s site) {
			if s.path != "metadata.name" && s.path != "kind" && s.path != "apiVersion" &&
				(!s.field.Required || slices.ContainsFunc(optional, func(o string) bool { return strings.HasSuffix(s.path, o) })) {
				return
			}
			delete(s.holder, s.key)
			render("drops", s.path, s.key)
		})
	}
	return out
}
