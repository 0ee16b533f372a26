package managed

import (
	"fmt"
	"maps"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/client-go/applyconfigurations"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/typed"
	"sigs.k8s.io/yaml"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/apiserver/codec"
)

// Fields tracks who set which field. Safe for concurrent use.
type Fields struct {
	conv convertor

	mu       sync.Mutex
	types    managedfields.TypeConverter
	managers map[managerKey]*managedfields.FieldManager
	makers   map[*schemas.Kind]*maker
	seen     shapes // of objects that were made
}

type managerKey struct {
	kind        *schemas.Kind
	subresource string
}

// New returns a tracker for the kinds in table.
func New(table *schemas.Table) *Fields {
	return &Fields{conv: convertor{table}, managers: map[managerKey]*managedfields.FieldManager{}, makers: map[*schemas.Kind]*maker{}}
}

// merge is Update of whatever there is.
func (f *Fields) merge(k *schemas.Kind, subresource string, live, obj schemas.Object, manager string) schemas.Object {
	m, err := f.manager(k, subresource)
	if err != nil {
		return obj
	}
	if out, ok := m.UpdateNoErrors(live, obj, manager).(schemas.Object); ok {
		return out
	}
	return obj
}

// Apply merges the applied configuration (JSON or YAML) into live for manager. Fields that
// others own and that differ are a Conflict with a cause each, unless force.
func (f *Fields) Apply(k *schemas.Kind, subresource string, live schemas.Object, config []byte, manager string, force bool) (schemas.Object, error) {
	applied, err := f.decode(config)
	if err != nil {
		return nil, err
	}
	m, err := f.manager(k, subresource)
	if err != nil {
		return nil, err
	}
	merged, err := m.Apply(live, applied, manager, force)
	if err != nil {
		if _, ok := err.(apierrors.APIStatus); ok {
			return nil, err
		}
		return nil, apierrors.NewBadRequest(err.Error())
	}
	typed, err := f.conv.to(k, merged)
	if err != nil {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("the applied configuration does not fit %s: %v", k.Kind, err))
	}
	return typed, nil
}

func (f *Fields) decode(config []byte) (*unstructured.Unstructured, error) {
	if err := codec.Bound(config); err != nil {
		return nil, err
	}
	data, err := yaml.YAMLToJSONStrict(config)
	if err != nil {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("error decoding the applied configuration: %v", err))
	}
	// Aliases can make the JSON much longer than the YAML was.
	if err := codec.Bound(data); err != nil {
		return nil, err
	}
	u := &unstructured.Unstructured{}
	if err := u.UnmarshalJSON(data); err != nil {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("error decoding the applied configuration: %v", err))
	}
	return u, nil
}

// Warm makes the schemas ready, which takes some 200 ms of one core: a start need not
// wait for it, nor the first user who writes.
func (f *Fields) Warm() {
	for _, k := range f.conv.table.All() {
		// An error comes again, and to somebody, when the kind is written.
		_, _ = f.manager(k, "")
		_, _ = f.maker(k)
	}
}

// manager returns the field manager of k, made at first use.
func (f *Fields) manager(k *schemas.Kind, subresource string) (*managedfields.FieldManager, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	key := managerKey{k, subresource}
	if m := f.managers[key]; m != nil {
		return m, nil
	}
	types, err := f.typesOf(k)
	if err != nil {
		return nil, fmt.Errorf("read schema of %s: %w", k.Kind, err)
	}
	gv := k.GroupVersion()
	m, err := managedfields.NewDefaultFieldManager(types, f.conv, f.conv, f.conv, k.GroupVersionKind(), gv, subresource,
		map[fieldpath.APIVersion]fieldpath.Filter{fieldpath.APIVersion(gv.String()): reset(k, subresource)})
	if err != nil {
		return nil, fmt.Errorf("make field manager of %s: %w", k.Kind, err)
	}
	if f.conv.table.ByResource(k.Resource) == k { // else it is gone, and nobody would forget it
		f.managers[key] = m
	}
	return m, nil
}

// typesOf returns the converter of k's objects; f.mu is held.
func (f *Fields) typesOf(k *schemas.Kind) (managedfields.TypeConverter, error) {
	types := f.converter()
	obj := k.New()
	switch _, err := types.ObjectToTyped(obj, typed.AllowDuplicates); {
	case err == nil:
		return types, nil
	case schemas.IsUntyped(obj):
		return newUntyped(k)
	}
	return managedfields.NewDeducedTypeConverter(), nil
}

// Forget forgets an entry that is not in the table any more.
func (f *Fields) Forget(k *schemas.Kind) {
	f.mu.Lock()
	defer f.mu.Unlock()
	maps.DeleteFunc(f.managers, func(key managerKey, _ *managedfields.FieldManager) bool { return key.kind == k })
	delete(f.makers, k)
}

// converter returns the converter of all kinds, made at first use. It needs f.mu.
func (f *Fields) converter() managedfields.TypeConverter {
	if f.types == nil {
		f.types = applyconfigurations.NewTypeConverter(f.conv.scheme())
	}
	return f.types
}

// reset says which fields of k a write to the subresource cannot set, and so cannot own.
func reset(k *schemas.Kind, subresource string) fieldpath.Filter {
	if schemas.IsUntyped(k.New()) && k.StatusWriter == schemas.StatusNone {
		return fieldpath.NewExcludeSetFilter(fieldpath.NewSet()) // what is called status is a field like others
	}
	ignored := fieldpath.MakePathOrDie("status")
	if subresource == "status" {
		ignored = fieldpath.MakePathOrDie("spec")
	}
	return fieldpath.NewExcludeSetFilter(fieldpath.NewSet(ignored))
}

var _ runtime.ObjectConvertor = convertor{}
