package managed

import (
	"bytes"
	"reflect"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/skerry/skerry/schemas"
)

// Update records in obj's managedFields what manager changed between live and obj. live
// is a new zero object for a create. Trouble with the bookkeeping never fails a write.
func (f *Fields) Update(k *schemas.Kind, subresource string, live, obj schemas.Object, manager string) schemas.Object {
	if subresource == "" && f.same(k, live, obj, manager) {
		return obj
	}
	return f.merge(k, subresource, live, obj, manager)
}

// same is Update where manager alone owns fields, all of them are set as before, and no others: what
// changes are values, so that everybody goes on owning the same. false if it is not that.
func (f *Fields) same(k *schemas.Kind, live, obj schemas.Object, manager string) bool {
	owned := live.GetManagedFields()
	if len(owned) != 1 || owned[0].FieldsV1 == nil {
		return false
	}
	if said := obj.GetManagedFields(); said != nil && !reflect.DeepEqual(said, owned) {
		return false
	}
	m, err := f.maker(k)
	if err != nil || owned[0] != m.entry(manager, owned[0].FieldsV1, owned[0].Time) {
		return false
	}
	was, is := bare(live), bare(obj)
	if was == nil || is == nil {
		return false
	}
	shape := shapeOf(m.kind, is)
	if shape == nil || !bytes.Equal(shape, shapeOf(m.kind, was)) {
		return false
	}
	if fields, ok := m.fieldsOf(shape, is); !ok || !bytes.Equal(fields, owned[0].FieldsV1.Raw) {
		return false
	}
	at := owned[0].Time
	if !equality.Semantic.DeepEqual(was, is) {
		at = &metav1.Time{Time: time.Now().UTC()}
	}
	obj.SetManagedFields([]metav1.ManagedFieldsEntry{m.entry(manager, owned[0].FieldsV1, at)})
	return true
}

// bare is obj without what nobody can own and what each object has of its own; its parts are obj's. nil if there is no such.
func bare(obj schemas.Object) schemas.Object {
	v := reflect.ValueOf(obj)
	if _, dynamic := obj.(*unstructured.Unstructured); dynamic || v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		return nil
	}
	c := reflect.New(v.Elem().Type())
	c.Elem().Set(v.Elem())
	out, _ := c.Interface().(schemas.Object) // of obj's type
	out.GetObjectKind().SetGroupVersionKind(schema.GroupVersionKind{})
	out.SetManagedFields(nil)
	out.SetResourceVersion("")
	out.SetUID("")
	out.SetGeneration(0)
	out.SetCreationTimestamp(metav1.Time{})
	return out
}
