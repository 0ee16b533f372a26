package managed

import (
	"bytes"
	"cmp"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/typed"
	"sigs.k8s.io/structured-merge-diff/v6/value"

	"github.com/skerry/skerry/schemas"
)

// Create is Update of an object that is being made.
func (f *Fields) Create(k *schemas.Kind, obj schemas.Object, manager string) schemas.Object {
	if _, dynamic := obj.(*unstructured.Unstructured); !dynamic && len(obj.GetManagedFields()) == 0 {
		if m, err := f.maker(k); err == nil && m.record(obj, manager) {
			return obj
		}
	}
	return f.Update(k, "", k.New(), obj, manager)
}

// maker returns that of k, made at first use.
func (f *Fields) maker(k *schemas.Kind) (*maker, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if m := f.makers[k]; m != nil {
		return m, nil
	}
	m, err := newMaker(k, f.converter(), &f.seen)
	if err != nil {
		return nil, fmt.Errorf("read schema of %s: %w", k.Kind, err)
	}
	if f.conv.table.ByResource(k.Resource) == k {
		f.makers[k] = m
	}
	return m, nil
}

// maker records who made an object. That is Update with a new zero object, without what
// only matters if others have owned fields before: it is most of what a create computes.
type maker struct {
	version string
	kind    string
	reset   fieldpath.Filter
	zero    *typed.TypedValue
	seen    *shapes
}

func newMaker(k *schemas.Kind, types managedfields.TypeConverter, seen *shapes) (*maker, error) {
	zero := k.New()
	t, err := types.ObjectToTyped(zero, typed.AllowDuplicates)
	if err != nil {
		return nil, err
	}
	return &maker{version: k.GroupVersion().String(), kind: k.GroupVersionKind().String(), reset: reset(k, ""), zero: t, seen: seen}, nil
}

// unowned are the fields that nobody can own.
var unowned = fieldpath.NewSet(
	fieldpath.MakePathOrDie("apiVersion"), fieldpath.MakePathOrDie("kind"), fieldpath.MakePathOrDie("metadata"),
	fieldpath.MakePathOrDie("metadata", "name"), fieldpath.MakePathOrDie("metadata", "namespace"),
	fieldpath.MakePathOrDie("metadata", "creationTimestamp"), fieldpath.MakePathOrDie("metadata", "selfLink"),
	fieldpath.MakePathOrDie("metadata", "uid"), fieldpath.MakePathOrDie("metadata", "clusterName"),
	fieldpath.MakePathOrDie("metadata", "generation"), fieldpath.MakePathOrDie("metadata", "managedFields"),
	fieldpath.MakePathOrDie("metadata", "resourceVersion"),
)

// record has obj say that manager set all its fields; false if that cannot be told.
func (m *maker) record(obj schemas.Object, manager string) bool {
	fields, ok := m.fieldsOf(shapeOf(m.kind, obj), obj)
	if !ok {
		return false
	}
	if fields == nil {
		obj.SetManagedFields(nil)
		return true
	}
	now := metav1.NewTime(time.Now().UTC())
	obj.SetManagedFields([]metav1.ManagedFieldsEntry{m.entry(manager, &metav1.FieldsV1{Raw: fields}, &now)})
	return true
}

// entry says that manager owns fields since it updated them.
func (m *maker) entry(manager string, fields *metav1.FieldsV1, at *metav1.Time) metav1.ManagedFieldsEntry {
	return metav1.ManagedFieldsEntry{Manager: cmp.Or(manager, "unknown"), Operation: metav1.ManagedFieldsOperationUpdate, APIVersion: m.version,
		Time: at, FieldsType: "FieldsV1", FieldsV1: fields}
}

// fieldsOf are fields of obj, which has this shape, or nil for none that is remembered.
func (m *maker) fieldsOf(shape []byte, obj schemas.Object) (fields []byte, ok bool) {
	if shape == nil {
		return m.fields(obj)
	}
	if fields, ok := m.seen.get(shape); ok {
		return fields, true
	}
	if fields, ok = m.fields(obj); ok {
		m.seen.add(shape, fields)
	}
	return fields, ok
}

// fields are those that obj sets, nil if there are none; false if that cannot be told. Nothing
// needs to be validated: obj is of Go's type for its kind.
func (m *maker) fields(obj schemas.Object) ([]byte, bool) {
	v, err := value.NewValueReflect(obj)
	if err != nil {
		return nil, false
	}
	t := typed.AsTypedUnvalidated(v, m.zero.Schema(), m.zero.TypeRef())
	c, err := m.zero.Compare(t)
	if err != nil {
		return nil, false
	}
	set := m.reset.Filter(c.Modified.Union(c.Added)).Difference(unowned)
	if set.Empty() {
		return nil, true
	}
	var fields bytes.Buffer
	if err := set.ToJSONStream(&fields); err != nil {
		return nil, false
	}
	return fields.Bytes(), true
}
