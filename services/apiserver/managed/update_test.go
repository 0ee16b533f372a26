package managed

import (
	"math/rand/v2"
	"reflect"
	"testing"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/kinds"
)

// change gives some fields other values; in between it empties one, or what is in a list is another.
func (f filler) change(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		if v.Len() > 0 && f.IntN(2) == 0 {
			v.SetString(v.String() + f.word())
		}
	case reflect.Int, reflect.Int32, reflect.Int64:
		if v.Int() != 0 && f.IntN(2) == 0 {
			v.SetInt(v.Int() + 1)
		}
	case reflect.Pointer:
		if !v.IsNil() {
			f.change(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			if f.IntN(50) == 0 {
				f.change(v.Index(i))
			}
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			value := reflect.New(v.Type().Elem()).Elem()
			value.Set(v.MapIndex(k))
			f.change(value)
			v.SetMapIndex(k, value)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() && v.Type().Field(i).Type != reflect.TypeFor[metav1.Time]() {
				f.change(v.Field(i))
			}
			if f.IntN(500) == 0 && v.Field(i).CanSet() {
				v.Field(i).SetZero()
			}
		}
	}
}

// TestSameIsMerge: what is recorded of a change is what the long way would have recorded, of every
// kind and whatever changes.
func TestSameIsMerge(t *testing.T) {
	f := New(kinds.Table())
	random := filler{rand.New(rand.NewPCG(3, 4))}
	short, all := 0, 0
	for _, k := range kinds.Table().All() {
		for i := range 60 {
			obj := k.New()
			random.fill(reflect.ValueOf(obj).Elem(), 0)
			obj.GetObjectKind().SetGroupVersionKind(k.GroupVersionKind())
			obj.SetManagedFields(nil)
			live := f.Create(k, obj, "me")
			owned := live.GetManagedFields()
			next, _ := live.DeepCopyObject().(schemas.Object)
			random.change(reflect.ValueOf(next).Elem())
			next.GetObjectKind().SetGroupVersionKind(k.GroupVersionKind())
			next.SetManagedFields(nil)
			switch i % 10 {
			case 0:
				next.SetManagedFields(owned)
			case 1:
				next.SetManagedFields([]metav1.ManagedFieldsEntry{})
			case 2:
				if len(owned) == 0 {
					break
				}
				other := *owned[0].DeepCopy()
				other.Manager = "other"
				live.SetManagedFields(append(owned[:1:1], other))
			}
			if i%10 == 4 && len(owned) > 0 { // the rest is nobody's, until it changes
				owned[0].FieldsV1 = &metav1.FieldsV1{Raw: []byte(`{"f:metadata":{"f:labels":{}}}`)}
			}
			who := "me"
			if i%10 == 3 {
				who = "you"
			}
			before, _ := live.DeepCopyObject().(schemas.Object)
			tried, _ := next.DeepCopyObject().(schemas.Object)
			all++
			if f.same(k, live, tried, who) {
				short++
			}
			long, _ := next.DeepCopyObject().(schemas.Object)
			want := f.merge(k, "", before.DeepCopyObject().(schemas.Object), long, who).GetManagedFields()
			got := f.Update(k, "", live, next, who).GetManagedFields()
			for _, fields := range [][]metav1.ManagedFieldsEntry{want, got} {
				for i := range fields {
					fields[i].Time = nil
				}
			}
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("%s %d:\ngot  %+v\nwant %+v", k.Kind, i, got, want)
			}
			if !reflect.DeepEqual(live, before) {
				t.Fatalf("%s: what was there has changed", k.Kind)
			}
		}
	}
	if short < all/4 {
		t.Errorf("only %d of %d objects went the short way", short, all)
	}
}

func TestTimeOfTheLastChange(t *testing.T) {
	f := New(kinds.Table())
	k := kinds.Table().ByResource(schemas.ConfigMaps)
	old := metav1.Unix(1e9, 0)
	live := f.Create(k, &v1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "m"}, Data: map[string]string{"k": "v"}}, "me")
	live.GetManagedFields()[0].Time = &old
	for value, changed := range map[string]bool{"v": false, "w": true} {
		next := live.DeepCopyObject().(*v1.ConfigMap)
		next.Data["k"] = value
		if at := f.Update(k, "", live, next, "me").GetManagedFields()[0].Time; at.Equal(&old) == changed {
			t.Errorf("%s: %v", value, at)
		}
	}
}

func BenchmarkSame(b *testing.B) {
	f := New(kinds.Table())
	k := kinds.Table().ByResource(schemas.ConfigMaps)
	m := &v1.ConfigMap{TypeMeta: metav1.TypeMeta{Kind: "ConfigMap", APIVersion: "v1"}, ObjectMeta: metav1.ObjectMeta{Name: "m", Namespace: "n", UID: "u"}, Data: map[string]string{"k": "v"}}
	live := f.Create(k, m.DeepCopy(), "me")
	m.Data["k"] = "w"
	for name, record := range map[string]func(obj schemas.Object){
		"same":  func(obj schemas.Object) { f.Update(k, "", live, obj, "me") },
		"merge": func(obj schemas.Object) { f.merge(k, "", live, obj, "me") },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				record(m.DeepCopy())
			}
		})
	}
}
