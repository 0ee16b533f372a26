package managed

import (
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/kinds"
)

// filler sets fields at random.
type filler struct{ *rand.Rand }

func (f filler) word() string { return string(rune('a' + f.IntN(26))) }

func (f filler) fill(v reflect.Value, depth int) {
	if f.IntN(3) == 0 || depth > 12 {
		return
	}
	switch v.Interface().(type) {
	case metav1.Time:
		v.Set(reflect.ValueOf(metav1.Unix(int64(f.IntN(1e9)), 0)))
		return
	case metav1.MicroTime:
		v.Set(reflect.ValueOf(metav1.NewMicroTime(time.Unix(int64(f.IntN(1e9)), 0))))
		return
	case resource.Quantity:
		v.Set(reflect.ValueOf(*resource.NewQuantity(int64(f.IntN(100)), resource.DecimalSI)))
		return
	case intstr.IntOrString:
		v.Set(reflect.ValueOf(intstr.FromInt32(int32(f.IntN(100)))))
		return
	case metav1.FieldsV1, []metav1.ManagedFieldsEntry:
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(f.word())
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(int64(f.IntN(100)))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(v.Elem(), depth+1)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), f.IntN(3), 3))
		for i := range v.Len() {
			f.fill(v.Index(i), depth+1)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range f.IntN(3) {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			key.SetString(f.word())
			f.fill(value, depth+1)
			v.SetMapIndex(key, value)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				f.fill(v.Field(i), depth+1)
			}
		}
	}
}

// TestCreateIsUpdate: what is recorded of an object that is made is what Update would have
// recorded, of every kind and whatever is in it.
func TestCreateIsUpdate(t *testing.T) {
	f := New(kinds.Table())
	random := filler{rand.New(rand.NewPCG(1, 2))}
	short := 0
	for _, k := range kinds.Table().All() {
		for i := range 60 {
			obj := k.New()
			random.fill(reflect.ValueOf(obj).Elem(), 0)
			if i == 0 {
				obj = k.New()
			}
			obj.GetObjectKind().SetGroupVersionKind(k.GroupVersionKind())
			obj.SetManagedFields(nil)
			want := f.Update(k, "", k.New(), obj.DeepCopyObject().(schemas.Object), "me").GetManagedFields()
			if m, err := f.maker(k); err == nil && !m.record(obj.DeepCopyObject().(schemas.Object), "me") {
				short++
			}
			got := f.Create(k, obj, "me").GetManagedFields()
			for _, fields := range [][]metav1.ManagedFieldsEntry{want, got} {
				for i := range fields {
					fields[i].Time = nil
				}
			}
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("%s:\ngot  %+v\nwant %+v", k.Kind, got, want)
			}
		}
	}
	if all := 60 * len(kinds.Table().All()); short > all/10 {
		t.Errorf("%d of %d objects went the long way", short, all)
	}
}

func BenchmarkCreate(b *testing.B) {
	f := New(kinds.Table())
	k := kinds.Table().ByResource(schemas.ConfigMaps)
	m := &v1.ConfigMap{TypeMeta: metav1.TypeMeta{Kind: "ConfigMap", APIVersion: "v1"}, ObjectMeta: metav1.ObjectMeta{Name: "m", Namespace: "n", UID: "u"}, Data: map[string]string{"k": "v"}}
	for name, record := range map[string]func(obj schemas.Object){
		"create": func(obj schemas.Object) { f.Create(k, obj, "me") },
		"update": func(obj schemas.Object) { f.Update(k, "", k.New(), obj, "me") },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				record(m.DeepCopy())
			}
		})
	}
}
