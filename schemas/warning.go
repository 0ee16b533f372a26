package schemas

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/skerry/skerry/schemas/shape"
)

// Warning says that a field which the object sets is stored but not acted on.
type Warning struct {
	Path    string // spec.template.spec.containers[0].livenessProbe
	Message string
}

// String renders "path: message".
func (w Warning) String() string { return w.Path + ": " + w.Message }

// Warnings lists the fields of obj that kind.Unhonoured names, in that list's order.
// Call it on what the user wrote, before defaults are filled in.
//
// An entry of Unhonoured is a path of JSON names in which
//
//	containers[]           stands for every element of a list or map
//	limits[^cpu,huge*]     for the elements whose keys are not in the list, or begin so; */* are those with a slash
//	dnsPolicy!=A,B         (at the end) for values other than A and B
//
// Fields that hold their type's zero value or an empty object count as not set.
func Warnings(kind *Kind, obj Object) []Warning {
	root := reflect.ValueOf(obj)
	if u, ok := obj.(*unstructured.Unstructured); ok {
		root = reflect.ValueOf(u.Object)
	}
	var out []Warning
	for _, pattern := range kind.Unhonoured {
		path, except, _ := strings.Cut(pattern, "!=")
		why := kind.Because[PlainPath(pattern)]
		if why == "" {
			why = "this field is stored, but Skerry does not act on it yet"
		}
		m := matcher{except: strings.Split(except, ","), found: func(path string) {
			out = append(out, Warning{Path: path, Message: why})
		}}
		m.match(root, strings.Split(path, "."), "")
	}
	return out
}

var condition = regexp.MustCompile(`!=.*$|\[\^[^\]]*\]`)

// PlainPath is the path of a pattern of Kind.Unhonoured without its conditions.
func PlainPath(pattern string) string {
	return condition.ReplaceAllStringFunc(pattern, func(s string) string {
		if strings.HasPrefix(s, "[") {
			return "[]"
		}
		return ""
	})
}

// matcher finds the set fields that one pattern stands for.
type matcher struct {
	except []string // values that are honoured after all
	found  func(path string)
}

func (m matcher) match(v reflect.Value, steps []string, path string) {
	v = concrete(v)
	if !v.IsValid() {
		return
	}
	if len(steps) == 0 {
		if isSet(v) && !slices.Contains(m.except, fmt.Sprint(v.Interface())) {
			m.found(path)
		}
		return
	}
	name, selector, each := strings.Cut(steps[0], "[")
	child := member(v, name)
	path = strings.TrimPrefix(path+"."+name, ".")
	if !each {
		m.match(child, steps[1:], path)
		return
	}
	excluded := strings.Split(strings.TrimPrefix(strings.TrimSuffix(selector, "]"), "^"), ",")
	m.each(concrete(child), excluded, steps[1:], path)
}

func (m matcher) each(v reflect.Value, excluded, steps []string, path string) {
	if !v.IsValid() {
		return
	}
	switch v.Kind() {
	case reflect.Slice:
		for i := range v.Len() {
			m.match(v.Index(i), steps, fmt.Sprintf("%s[%d]", path, i))
		}
	case reflect.Map:
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
		for _, key := range keys {
			if !slices.ContainsFunc(excluded, func(e string) bool { return matches(e, key.String()) }) {
				m.match(v.MapIndex(key), steps, path+"["+key.String()+"]")
			}
		}
	}
}

// matches compares key with a name, or with the beginning of names: "hugepages-*".
func matches(name, key string) bool {
	if name == "*/*" {
		return strings.Contains(key, "/")
	}
	if prefix, ok := strings.CutSuffix(name, "*"); ok {
		return strings.HasPrefix(key, prefix)
	}
	return name == key
}

// member returns the field or key of v called name; invalid if there is none.
func member(v reflect.Value, name string) reflect.Value {
	switch v.Kind() {
	case reflect.Struct:
		for _, f := range shape.Fields(v.Type()) {
			if f.Name != name {
				continue
			}
			// An error means that an embedded pointer on the way is nil.
			field, err := v.FieldByIndexErr(f.Index)
			if err != nil {
				return reflect.Value{}
			}
			if field.Kind() != reflect.Pointer && field.IsZero() {
				return reflect.Value{}
			}
			return field
		}
	case reflect.Map:
		return v.MapIndex(reflect.ValueOf(name))
	}
	return reflect.Value{}
}

// concrete takes pointers and interfaces off v; invalid if it is nil.
func concrete(v reflect.Value) reflect.Value {
	for v.IsValid() && (v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface) {
		v = v.Elem()
	}
	return v
}

// isSet tells whether a value that is there says anything: securityContext: {} does not.
func isSet(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Struct:
		return !v.IsZero()
	case reflect.Slice, reflect.Map:
		return v.Len() > 0
	}
	return true
}
