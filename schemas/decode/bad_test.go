package decode_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/skerry/skerry/schemas/decode"
	"github.com/skerry/skerry/schemas/kinds"
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

// bad is a manifest with one thing wrong, and what its error must mention.
type bad struct {
	name, src, mention string
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

// mutations makes one bad manifest per field and way of breaking it.
func mutations(t *testing.T, d decode.Document) []bad {
	t.Helper()
	root := reflect.TypeOf(d.Kind.New())
	var out []bad
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
		out = append(out, bad{name: d.Kind.Kind + " " + how + " " + path, src: string(src), mention: mention})
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

// judge returns all errors that apply would show: decoding's, or else validation's.
func judge(src string) (decode.Errors, error) {
	docs, err := decode.Manifests(kinds.Table(), "bad.yaml", []byte(src))
	var list decode.Errors
	if err != nil && !errors.As(err, &list) {
		return nil, fmt.Errorf("the error is a %T", err)
	}
	for _, d := range docs {
		list = append(list, complete(d)...)
	}
	for _, e := range list {
		if e.Line < 1 || e.Column < 1 || e.Source != "bad.yaml" || e.Message == "" {
			return nil, fmt.Errorf("incomplete error: %w", e)
		}
		if e.Text == "" && strings.TrimSpace(src) != "" && e.Line == 1 && e.Column > 1 {
			return nil, fmt.Errorf("no source line in: %w", e)
		}
	}
	return list, nil
}

func TestGeneratedBadManifests(t *testing.T) {
	total := 0
	for name, data := range goodFiles(t) {
		docs, err := decode.Manifests(kinds.Table(), name, data)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range docs {
			for _, b := range mutations(t, d) {
				total++
				list, err := judge(b.src)
				if err != nil {
					t.Errorf("%s: %v", b.name, err)
					continue
				}
				if len(list) == 0 {
					t.Errorf("%s: no error:\n%s", b.name, b.src)
				} else if !strings.Contains(list.Error(), b.mention) {
					t.Errorf("%s: the error does not mention %s:\n%s", b.name, b.mention, list)
				}
			}
		}
	}
	t.Logf("%d bad manifests", total)
	if total < 400 {
		t.Errorf("only %d bad manifests were generated", total)
	}
}

// hostile is input made to break the reader, and what its error must say.
func hostile() []bad {
	laughs := "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"
	for i := range 12 {
		laughs += fmt.Sprintf("a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i), 10), ","))
	}
	var merges strings.Builder
	merges.WriteString("a: &a\n")
	for i := range 1900 {
		fmt.Fprintf(&merges, "  k%d: v\n", i)
	}
	merges.WriteString("b:\n" + strings.Repeat("- <<: *a\n", 4000))
	long := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n"
	var indented strings.Builder
	for i := range 1000 {
		indented.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	var keys strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&keys, "  k%d: v\n", i)
	}
	return []bad{
		{"20 MB", long + "  a: " + strings.Repeat("x", 20<<20), "MiB"},
		{"3 MB of one YAML document", long + "  a: " + strings.Repeat("x", 3<<20), "KiB"},
		{"8 MB of zeros", strings.Repeat("\x00", 8<<20), "control character"},
		{"binary", "\x7fELF\x02\x01\x01\x00\x00\x00", "control character"},
		{"latin-1", "a: \xe9t\xe9\n", "not UTF-8"},
		{"UTF-32", "\xff\xfe\x00\x00a\x00\x00\x00", "control character"},
		{"brackets", strings.Repeat("[", 1<<20), "levels deep"},
		{"braces", strings.Repeat("{a: ", 1<<18), "levels deep"},
		{"JSON brackets", strings.Repeat(`{"a":`, 1<<18), "levels deep"},
		{"JSON lists", strings.Repeat(`[`, 1<<20), "levels deep"},
		{"dashes", strings.Repeat("- ", 1<<17), "levels deep"},
		{"question marks", strings.Repeat("? ", 1<<17), "levels deep"},
		{"indentation", indented.String(), "levels deep"},
		{"billion laughs", laughs, "expand"},
		{"merge bomb", merges.String(), "merge keys"},
		{"alias to itself", "a: &a [*a]\n", "anchor"},
		{"many keys", long + keys.String(), "keys in one map"},
		{"many values", "a: [" + strings.Repeat("1,", 1<<19) + "1]", "values in one document"},
		{"many documents", strings.Repeat("---\na: b\n", 20_000), "documents in one file"},
		{"values left out", strings.Repeat("-\n", 50_000), "left out"},
		{"flow values left out", "{" + strings.Repeat("a, ", 50_000) + "a}", "left out"},
		{"question mark map", strings.Repeat("? a\n", 10_000), "keys in one map"},
		{"merge of itself", "a: &a\n  <<: *a\n", "anchor"},
		{"asterisks", strings.Repeat("*", 1<<20), ""},
		{"colons", strings.Repeat(": ", 1<<19), ""},
		{"anchors", strings.Repeat("&a ", 1<<18), ""},
		{"tags", strings.Repeat("!!str ", 1<<18), ""},
		{"open quote", "a: \"" + strings.Repeat("x\n ", 1<<18), ""},
		{"tabs", "a:\n\tb: c\n", ""},
		{"nothing but text", "this is not a manifest", "expected an object"},
		{"HTML", "<!DOCTYPE html>\n<html><body>404</body></html>\n", ""},
		{"infinite number", "apiVersion: v1\nkind: Pod\nspec: {priority: 1e999999}\n", ""},
		{"huge exponent", "{\"apiVersion\": \"v1\", \"kind\": \"Pod\", \"spec\": {\"priority\": 1e999999999}}", ""},
		{"huge quantity", contHead + "    resources: {limits: {cpu: 1" + strings.Repeat("0", 100_000) + "Q}}\n", "quantity"},
	}
}

func TestHostileInput(t *testing.T) {
	for _, b := range hostile() {
		t.Run(b.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			list, err := judge(b.src)
			runtime.ReadMemStats(&after)
			if err != nil {
				t.Fatal(err)
			}
			if len(list) == 0 || !strings.Contains(list.Error(), b.mention) {
				t.Errorf("want an error about %q, got %.500s", b.mention, list.Error())
			}
			if len(list) > 200 || len(list.Error()) > 200*1000 {
				t.Errorf("%d errors with %d bytes", len(list), len(list.Error()))
			}
			if spent := (after.TotalAlloc - before.TotalAlloc) >> 20; spent > 512 {
				t.Errorf("%d MiB were allocated", spent)
			}
		})
	}
}

// Every good file, cut anywhere, gives objects or errors with positions.
func TestTruncated(t *testing.T) {
	for name, data := range goodFiles(t) {
		failed := 0
		for end := 0; end < len(data); end += 7 {
			list, err := judge(string(data[:end]))
			if err != nil {
				t.Errorf("%s cut at %d: %v", name, end, err)
			}
			if len(list) > 0 {
				failed++
			}
		}
		if failed == 0 {
			t.Errorf("%s: no cut was noticed", name)
		}
	}
}

func FuzzManifests(f *testing.F) {
	for _, data := range goodFiles(f) {
		f.Add(data)
	}
	for _, b := range hostile() {
		if len(b.src) < 4096 {
			f.Add([]byte(b.src))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := judge(string(data)); err != nil {
			t.Error(err)
		}
		for _, k := range kinds.Table().All() {
			obj, _, err := decode.Strict(k, data)
			if err == nil && obj.GetObjectKind().GroupVersionKind() != k.GroupVersionKind() {
				t.Errorf("decoded a %s for a %s", obj.GetObjectKind().GroupVersionKind(), k.GroupVersionKind())
			}
		}
	})
}
