package managed

import (
	"encoding/json"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/client-go/applyconfigurations"
	"k8s.io/kube-openapi/pkg/schemaconv"
	"k8s.io/kube-openapi/pkg/validation/spec"
	"sigs.k8s.io/structured-merge-diff/v6/schema"
	"sigs.k8s.io/structured-merge-diff/v6/typed"

	"github.com/skerry/skerry/schemas"
)

// untyped converts objects of one kind without a Go type, whose schema says which lists are maps
// and which fields belong together.
type untyped struct{ of typed.ParseableType }

// objectMeta is what the schemas of Go's types call metadata.
const objectMeta = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"

// newUntyped makes the converter of k. The metadata are those of all kinds.
func newUntyped(k *schemas.Kind) (managedfields.TypeConverter, error) {
	whole, err := schemaOf(k)
	if err != nil {
		return nil, err
	}
	name := k.GroupVersionKind().String()
	own, err := schemaconv.ToSchemaFromOpenAPI(map[string]*spec.Schema{name: whole}, k.Schema == nil)
	if err != nil {
		return nil, fmt.Errorf("convert schema: %w", err)
	}
	meta, err := metaTypes()
	if err != nil {
		return nil, err
	}
	parser := &typed.Parser{}
	parser.Schema.Types = append(slices.Clone(own.Types), meta...)
	return untyped{parser.Type(name)}, nil
}

// schemaOf is k's schema with what every object has.
func schemaOf(k *schemas.Kind) (*spec.Schema, error) {
	whole := spec.Schema{}
	if k.Schema != nil {
		text, err := json.Marshal(k.Schema) // a copy
		if err != nil {
			return nil, fmt.Errorf("copy schema: %w", err)
		}
		if err := json.Unmarshal(text, &whole); err != nil {
			return nil, fmt.Errorf("copy schema: %w", err)
		}
	} else {
		whole.AddExtension("x-kubernetes-preserve-unknown-fields", true)
	}
	whole.Type = spec.StringOrArray{"object"}
	whole.SetProperty("apiVersion", *spec.StringProperty())
	whole.SetProperty("kind", *spec.StringProperty())
	whole.SetProperty("metadata", *spec.RefSchema("#/definitions/" + objectMeta))
	return &whole, nil
}

// metaTypes are the types that metadata are made of.
func metaTypes() ([]schema.TypeDef, error) {
	scheme := runtime.NewScheme()
	some := &corev1.ConfigMap{}
	some.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("ConfigMap"))
	scheme.AddKnownTypeWithName(some.GroupVersionKind(), some)
	t, err := applyconfigurations.NewTypeConverter(scheme).ObjectToTyped(some)
	if err != nil {
		return nil, fmt.Errorf("find schema of metadata: %w", err)
	}
	return closure(t.Schema(), objectMeta), nil
}

// closure are the types of s that the one called name is made of.
func closure(s *schema.Schema, name string) (out []schema.TypeDef) {
	seen := map[string]bool{}
	var visit func(schema.TypeRef)
	atom := func(a schema.Atom) {
		if a.Map != nil {
			visit(a.Map.ElementType)
			for _, f := range a.Map.Fields {
				visit(f.Type)
			}
		}
		if a.List != nil {
			visit(a.List.ElementType)
		}
	}
	visit = func(r schema.TypeRef) {
		if r.NamedType == nil {
			atom(r.Inlined)
			return
		}
		def, ok := s.FindNamedType(*r.NamedType)
		if !ok || seen[def.Name] {
			return
		}
		seen[def.Name] = true
		out = append(out, def)
		atom(def.Atom)
	}
	visit(schema.TypeRef{NamedType: &name})
	return out
}

// ObjectToTyped implements managedfields.TypeConverter.
func (c untyped) ObjectToTyped(obj runtime.Object, options ...typed.ValidationOptions) (*typed.TypedValue, error) {
	u, ok := obj.(*unstructured.Unstructured)
	if !ok {
		return nil, fmt.Errorf("convert %T: it is not unstructured", obj)
	}
	return c.of.FromUnstructured(u.Object, options...)
}

// TypedToObject implements managedfields.TypeConverter.
func (c untyped) TypedToObject(v *typed.TypedValue) (runtime.Object, error) {
	fields, ok := v.AsValue().Unstructured().(map[string]any)
	if !ok {
		return nil, fmt.Errorf("convert to an object: it is a %T", v.AsValue().Unstructured())
	}
	return &unstructured.Unstructured{Object: fields}, nil
}
