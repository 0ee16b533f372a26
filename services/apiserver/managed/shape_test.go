package managed

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/kinds"
)

// vary changes some of the values in v, but no lengths.
func (f filler) vary(v reflect.Value) {
	switch v.Interface().(type) {
	case metav1.Time, metav1.MicroTime, resource.Quantity, intstr.IntOrString:
		f.fill(v, 0)
		return
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() && v.Kind() == reflect.Pointer {
			f.vary(v.Elem())
		}
	case reflect.Slice:
		if f.IntN(4) == 0 {
			for i := range v.Len() {
				f.vary(v.Index(i))
			}
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			e := reflect.New(v.Type().Elem()).Elem()
			e.Set(v.MapIndex(k))
			f.vary(e)
			v.SetMapIndex(k, e)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				f.vary(v.Field(i))
			}
		}
	case reflect.String:
		if f.IntN(2) == 0 && (v.String() != "" || f.IntN(20) == 0) {
			v.SetString(f.word())
		}
	case reflect.Int, reflect.Int32, reflect.Int64:
		if f.IntN(2) == 0 && (v.Int() != 0 || f.IntN(20) == 0) {
			v.SetInt(int64(f.IntN(100)))
		}
	}
}

// TestOneShapeOneSetOfFields: objects of one shape set the same fields, of every kind and
// whatever is in them.
func TestOneShapeOneSetOfFields(t *testing.T) {
	f := New(kinds.Table())
	random := filler{rand.New(rand.NewPCG(3, 4))}
	alike, unlike := 0, 0
	for _, k := range kinds.Table().All() {
		m, err := f.maker(k)
		if err != nil {
			continue
		}
		type found struct{ fields, text []byte }
		known := map[string]found{}
		for range 40 {
			obj := k.New()
			random.fill(reflect.ValueOf(obj).Elem(), random.IntN(9))
			for range 8 {
				random.vary(reflect.ValueOf(obj).Elem())
				obj.GetObjectKind().SetGroupVersionKind(k.GroupVersionKind())
				obj.SetManagedFields(nil)
				shape := shapeOf(k.Kind, obj)
				fields, ok := m.fields(obj)
				if shape == nil || !ok {
					unlike++
					continue
				}
				now := found{fields, fmt.Appendf(nil, "%+v", obj)}
				if was, ok := known[string(shape)]; ok && !bytes.Equal(was.text, now.text) {
					alike++
					if !bytes.Equal(was.fields, fields) {
						t.Fatalf("%s: one shape %q\n%s\n%s\nand\n%s\n%s", k.Kind, shape, was.text, was.fields, now.text, fields)
					}
				}
				known[string(shape)] = now
			}
		}
	}
	if alike < 500 {
		t.Errorf("only %d of the objects were like one before, %d like none", alike, unlike)
	}
}

// TestShapesAreBounded: in number and in size, and each kind has its own.
func TestShapesAreBounded(t *testing.T) {
	f := New(kinds.Table())
	k := kinds.Table().ByResource(schemas.ConfigMaps)
	create := func(key string) {
		cm := k.New()
		cm.SetName("m")
		cm.SetLabels(map[string]string{key: "v"})
		f.Create(k, cm, "me")
	}
	for i := range 3 * maxShapes {
		create(fmt.Sprint("k", i))
	}
	if n := len(f.seen.known); n == 0 || n > maxShapes {
		t.Errorf("%d shapes are remembered, want %d at most", n, maxShapes)
	}
	before := len(f.seen.known)
	create(string(bytes.Repeat([]byte("k"), maxShape)))
	if n := len(f.seen.known); n != before {
		t.Errorf("a shape of more than %d bytes is remembered", maxShape)
	}
	o := &metav1.ObjectMeta{Name: "m"}
	if bytes.Equal(shapeOf("A", o), shapeOf("B", o)) {
		t.Error("two kinds have one shape")
	}
}
